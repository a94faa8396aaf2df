"""PDF: the text layer, page by page. Scripts, forms and attachments are not looked at."""

from __future__ import annotations

import io

from pypdf import PageObject, PasswordType, PdfReader
from pypdf.errors import DependencyError, PyPdfError

from rag.errors import DamagedSource, EmptySource, EncryptedSource, NoTextLayer, SourceTooLarge
from rag.reading.cleaning import Composer
from rag.reading.places import Reading

PAGE_LIMIT = 20_000
_CUT_OFF = "This PDF is cut off: its end is missing, so part of its text may be missing too."


def read(raw: bytes, media_type: str) -> Reading:
    """The pages that have text. Raises DamagedSource, EmptySource, EncryptedSource, NoTextLayer, SourceTooLarge."""
    whole = b"%%EOF" in raw[-2048:]
    try:
        pages = _pages(raw)
    except PyPdfError as error:
        how = "cut off" if not whole else "damaged"
        raise DamagedSource(
            f"This PDF is {how} ({type(error).__name__}). Fetch it again or print it to a new PDF, then add that."
        ) from error
    if not pages:
        if not whole:
            raise DamagedSource("This PDF is cut off: no page is left in it. Fetch it again, then add it again.")
        raise EmptySource("This PDF has no pages.")
    composer = Composer()
    failed: list[int] = []
    blank: list[int] = []
    failure = ""
    for number, page in enumerate(pages, 1):
        try:
            text = page.extract_text()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - pypdf raises anything on hostile pages; the others may be good
            failed.append(number)
            failure = type(error).__name__
        else:
            if not composer.add_page(number, text):
                blank.append(number)
    if len(failed) == len(pages):
        raise DamagedSource(f"No page of this PDF could be read ({failure}). Print it to a new PDF, then add that.")
    if len(blank) + len(failed) == len(pages):
        raise NoTextLayer(_scanned(len(pages)))
    if not whole:
        composer.note(_CUT_OFF)
    if failed:
        composer.note(f"Damaged, left out: {_listed(failed)} of {len(pages)} ({failure}).")
    if blank:
        composer.note(f"No text on {_listed(blank)} of {len(pages)}: blank, or pictures of text that need OCR.")
    return composer.reading(media_type)


def _pages(raw: bytes) -> list[PageObject]:
    try:
        reader = PdfReader(io.BytesIO(raw), strict=False)
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise EncryptedSource("This PDF needs a password. Save a copy without one, then add that.")
    except (DependencyError, NotImplementedError) as error:
        raise EncryptedSource(
            "This PDF is encrypted in a way we cannot open. Save a copy without encryption."
        ) from error
    try:
        pages: list[PageObject] = []
        for page in reader.pages:
            pages.append(page)
            if len(pages) > PAGE_LIMIT:
                raise SourceTooLarge(f"This PDF has more than {PAGE_LIMIT} pages. Split it, then add the parts.")
    except RecursionError as error:
        raise DamagedSource("This PDF is damaged: its pages refer to each other in a circle.") from error
    return pages


def _scanned(pages: int) -> str:
    seem = "its only page looks" if pages == 1 else f"its {pages} pages look"
    return f"This PDF has no text layer: {seem} scanned. Run OCR on it, then add it again."


def _listed(numbers: list[int]) -> str:
    """`page 3`, or `pages 1, 2, 5 …` with ten numbers at most."""
    some = ", ".join(map(str, numbers[:10])) + (" …" if len(numbers) > 10 else "")
    return ("page " if len(numbers) == 1 else "pages ") + some

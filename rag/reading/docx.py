"""Word documents: paragraphs, lists, tables and notes in the order of the document."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from rag.errors import DamagedSource, EncryptedSource, SourceTooLarge
from rag.reading.cleaning import Composer
from rag.reading.docx_styles import Styles, local, value
from rag.reading.places import Reading
from rag.reading.signatures import is_ole

UNPACKED_LIMIT = 200 << 20
"""Bytes that all parts together may unpack to."""
_RATIO_LIMIT = 300
_RATIO_FROM = 20 << 20

_DAMAGED = "This Word document is damaged: {}. Open it in Word, save it again, then add it again."
# Deleted text, field codes, the old drawing kept beside the new one, and properties: none of it is on the page.
_UNSEEN = frozenset(
    ("del", "moveFrom", "delText", "instrText", "Fallback", "rPr", "pPr", "tblPr", "trPr", "tcPr", "sectPr", "sdtPr")
)
_NOTES = (("footnotes", "Footnote"), ("endnotes", "Endnote"), ("comments", "Comment"))


def read(raw: bytes, media_type: str) -> Reading:
    """The text with headings. Raises DamagedSource, EmptySource, EncryptedSource, SourceTooLarge."""
    if is_ole(raw):
        if "EncryptedPackage".encode("utf-16-le") in raw:
            raise EncryptedSource("This Word document needs a password. Save a copy without one, then add that.")
        raise DamagedSource("This is a Word document of the old kind (.doc). Save it as .docx, then add it again.")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return _Document(archive).reading(media_type)
    except DefusedXmlException as error:
        raise DamagedSource(_DAMAGED.format("it declares entities, which Word never does")) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ParseError, NotImplementedError) as error:
        raise DamagedSource(_DAMAGED.format("its archive is cut off or broken")) from error
    except RuntimeError as error:  # zipfile's way of asking for a password
        raise EncryptedSource("This Word document needs a password. Save a copy without one, then add that.") from error


class _Document:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._check_size()
        self._main = self._main_part()
        self._styles = Styles(self._part("styles.xml"), self._part("numbering.xml"))
        self._composer = Composer()
        self._after_list = False

    def reading(self, media_type: str) -> Reading:
        root = self._xml(self._main)
        for block in _blocks(root):
            self._add(block)
        for part, word in _NOTES:
            notes = self._part(f"{part}.xml")
            for note in notes if notes is not None else ():
                if value(note, "type") not in ("separator", "continuationSeparator", "continuationNotice"):
                    text = " ".join(" ".join(_text(block).split()) for block in _blocks(note))
                    self._composer.add(f"{word}: {text}" if text.strip() else "")
        return self._composer.reading(media_type)

    def _add(self, block: Element) -> None:
        if local(block) == "tbl":
            self._composer.add("\n".join(_rows(block)))
            self._after_list = False
            return
        text = _text(block)
        if not text.strip():
            return
        level = self._styles.heading_level(block)
        bullet = "" if level else self._styles.bullet(block)
        if level:
            self._composer.add_heading(level, text)
        else:
            self._composer.add(bullet + text.strip(), "\n" if bullet and self._after_list else "\n\n")
        self._after_list = bool(bullet)

    def _check_size(self) -> None:
        """Refuse bombs by the sizes the archive declares: zipfile never unpacks more than those."""
        total = 0
        for member in self._archive.infolist():
            total += member.file_size
            bloated = member.file_size > _RATIO_FROM and member.file_size > _RATIO_LIMIT * max(member.compress_size, 1)
            if total > UNPACKED_LIMIT or bloated:
                raise SourceTooLarge(
                    f"This Word document is too large when unpacked: the limit is {UNPACKED_LIMIT >> 20} MB. "
                    "If it is not a trap, split it into smaller files."
                )

    def _main_part(self) -> str:
        names = set(self._archive.namelist())
        if "_rels/.rels" in names:
            for relation in self._xml("_rels/.rels"):
                if relation.get("Type", "").endswith("/officeDocument"):
                    target = posixpath.normpath(relation.get("Target", "")).lstrip("/")
                    if target in names and target.endswith(".xml") and "word" in target.lower():
                        return target
        if "word/document.xml" in names:
            return "word/document.xml"
        raise DamagedSource("This is an archive, but there is no Word document in it. Give it its right extension.")

    def _part(self, name: str) -> Element | None:
        path = posixpath.join(posixpath.dirname(self._main), name)
        return self._xml(path) if path in self._archive.namelist() else None

    def _xml(self, path: str) -> Element:
        with self._archive.open(path) as part:
            root: Element = fromstring(part.read(), forbid_dtd=True)
        return root


def _blocks(root: Element) -> Iterator[Element]:
    """Paragraphs and tables in order, text boxes after the paragraph they hang on. No recursion: files nest at will."""
    stack = [root]
    while stack:
        element = stack.pop()
        name = local(element)
        if name in _UNSEEN:
            continue
        if name == "tbl":
            yield element
            continue
        if name == "p":
            yield element
            stack.extend(reversed(_boxes(element)))
            continue
        stack.extend(reversed(element))


def _boxes(paragraph: Element) -> list[Element]:
    """The text boxes in a paragraph; boxes inside those are found when their own paragraphs come up."""
    found: list[Element] = []
    stack = list(reversed(paragraph))
    while stack:
        element = stack.pop()
        if local(element) == "txbxContent":
            found.append(element)
        elif local(element) not in _UNSEEN:
            stack.extend(reversed(element))
    return found


def _text(block: Element) -> str:
    """What a paragraph (or, on one line, a nested table) shows."""
    pieces: list[str] = []
    stack = list(reversed(block))
    while stack:
        element = stack.pop()
        name = local(element)
        if name == "t":
            pieces.append(element.text or "")
        elif name == "tab":
            pieces.append("\t")
        elif name in ("br", "cr"):
            pieces.append("\n")
        elif name == "noBreakHyphen":
            pieces.append("-")
        elif name == "r" and _vanishes(element):
            continue
        elif name == "p":
            pieces.append(" ")
            stack.extend(reversed(element))
        elif name not in _UNSEEN and name != "txbxContent":
            stack.extend(reversed(element))
    return "".join(pieces)


def _vanishes(run: Element) -> bool:
    """True for a run that Word hides."""
    for properties in run:
        if local(properties) == "rPr":
            for one in properties:
                if local(one) == "vanish":
                    return value(one, "val") not in ("0", "false", "off")
    return False


def _rows(table: Element) -> Iterator[str]:
    """One line per row; a nested table is written into its cell."""
    for row in _children(table, "tr"):
        cells = [
            " ".join(" ".join(" ".join(_text(block).split()) for block in _blocks(cell)).split())
            for cell in _children(row, "tc")
        ]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield " | ".join(cells)


def _children(parent: Element, wanted: str) -> Iterator[Element]:
    """Rows of a table or cells of a row, through content controls and tracked insertions around them."""
    stack = list(reversed(parent))
    while stack:
        element = stack.pop()
        if local(element) == wanted:
            yield element
        elif local(element) in ("sdt", "sdtContent", "ins", "customXml", "moveTo"):
            stack.extend(reversed(element))

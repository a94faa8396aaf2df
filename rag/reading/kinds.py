"""Which reader a file gets: by its name, checked against its first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from rag.errors import DamagedSource, EmptySource, UnsupportedType
from rag.reading import signatures

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
JSONL = "application/x-ndjson"
NOTEBOOK = "application/x-ipynb+json"

READERS: Mapping[str, str] = MappingProxyType(
    {
        PDF: "pdf/1",
        DOCX: "docx/1",
        HTML: "html/1",
        MARKDOWN: "markdown/1",
        PLAIN: "plain/1",
        CSV: "table/1",
        TSV: "table/1",
        JSON: "json/1",
        JSONL: "jsonl/1",
        NOTEBOOK: "notebook/1",
    }
)
"""Media type → reader and its version. Part of the recipe: raise the number when a reader's output changes."""

HEAD_BYTES = 1 << 16
"""How much of a file `media_type` wants to see."""

READABLE = (
    "PDF, Word (.docx), HTML, Markdown, plain text and source code, CSV, TSV, JSON, JSON Lines and Jupyter notebooks"
)
"""What can be read, for the end of a sentence."""

_TYPES = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": PLAIN,
    ".csv": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".json": JSON,
    ".jsonl": JSONL,
    ".ndjson": JSONL,
    ".ipynb": NOTEBOOK,
}
_PLAIN = (
    ".c .cfg .conf .cpp .css .go .h .ini .java .js .log .py .r .rb .rs .rst .sh .sql .tex .toml .ts .xml .yaml .yml"
)

SUPPORTED: tuple[str, ...] = (*_TYPES, *_PLAIN.split())
"""Extensions to offer for upload, with their dot. Anything else that is text can be read too."""

_REFUSED = {
    "a slide show": ".ppt .pptx .pptm .odp .key",
    "a spreadsheet": ".xls .xlsx .xlsm .xlsb .ods .numbers",
    "an old Word document": ".doc .dot",
    "a word processor document of another kind": ".odt .rtf .pages .wpd .docm .dotx",
    "an e-book": ".epub .mobi .azw .azw3 .djvu",
    "a mail": ".eml .msg .mbox .pst",
    "a picture": ".png .jpg .jpeg .gif .bmp .tif .tiff .webp .svg .ico .heic .psd .avif",
    "a sound file": ".mp3 .wav .ogg .flac .m4a .aac .opus .wma",
    "a video": ".mp4 .mkv .avi .mov .webm .wmv .m4v",
    "an archive": ".zip .gz .tgz .bz2 .xz .7z .rar .tar .zst .jar .whl .iso .dmg",
    "a program": ".exe .dll .so .dylib .bin .class .o .a .pyc .wasm .apk .msi",
    "a database or a table in binary form": ".db .sqlite .sqlite3 .mdb .parquet .feather .arrow .pkl .npy .npz .h5",
    "a font": ".ttf .otf .woff .woff2",
}
_KIND_OF = {extension: kind for kind, extensions in _REFUSED.items() for extension in extensions.split()}


def media_type(name: str, head: bytes, size: int) -> str:
    """The media type of a file of `size` bytes called `name` whose content begins with `head` (HEAD_BYTES or all).

    Raises EmptySource for no bytes, UnsupportedType where there is no reader, DamagedSource where the content is
    not what the name says.
    """
    if size == 0:
        raise EmptySource("This file is empty: it has 0 bytes.")
    extension = PurePosixPath(name.strip().lower().replace("\\", "/")).suffix
    if extension in _KIND_OF:
        raise UnsupportedType(f"This is {_KIND_OF[extension]}, which cannot be read. What can be read: {READABLE}.")
    wanted = _TYPES.get(extension)
    if wanted == PDF:
        if not signatures.is_pdf(head):
            raise DamagedSource(f"This is not a PDF: its content is {_content(head)}. Give it its right extension.")
        return PDF
    if wanted == DOCX:
        if not signatures.is_zip(head) and not signatures.is_ole(head):
            raise DamagedSource(
                f"This is not a Word document: its content is {_content(head)}. Give it its right extension."
            )
        return DOCX
    if head.lstrip().startswith(b"%PDF-"):
        if wanted or extension in SUPPORTED:
            raise DamagedSource("This is a PDF under another name. Rename it to end in .pdf, then add it again.")
        return PDF
    kind = signatures.binary_kind(head)
    if kind and wanted:
        raise DamagedSource(f"This is not what its name says: its content is {kind}. Give it its right extension.")
    if kind:
        raise UnsupportedType(f"The content of this file is {kind}. What can be read: {READABLE}.")
    return wanted or PLAIN


def _content(head: bytes) -> str:
    """What the bytes are, in words, text included."""
    if signatures.is_pdf(head):
        return "a PDF"
    kind = signatures.binary_kind(head)
    if kind:
        return kind
    return "a web page" if b"<html" in head[:2048].lower() else "plain text"

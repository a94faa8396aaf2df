"""Small files of every format, built byte by byte, so that the tests need nothing beside the project."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf_from(objects: Mapping[int, bytes], trailer: bytes = b"") -> bytes:
    """A PDF of numbered objects; number 1 is the catalog."""
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, body in sorted(objects.items()):
        places[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    size = max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        out += b"%010d 00000 n \n" % places[number] if number in places else b"0000000000 00000 f \n"
    return bytes(out + b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, start))


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A PDF stream object."""
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), entries, content)


def pdf_objects(pages: Iterable[str]) -> dict[int, bytes]:
    """The objects of a PDF with one line of text per page; "" makes a page without text."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    }
    kids = []
    for text in pages:
        page, content = 4 + 2 * len(kids), 5 + 2 * len(kids)
        kids.append(b"%d 0 R" % page)
        objects[page] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % content
        )
        drawn = b"BT /F1 12 Tf 72 700 Td (%b) Tj ET" % text.encode("cp1252") if text else b"0 0 9 9 re f"
        objects[content] = stream(drawn)
    objects[2] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b" ".join(kids), len(kids))
    return objects


def pdf(*pages: str) -> bytes:
    """A PDF with one line of text per page."""
    return pdf_from(pdf_objects(pages))


def flate_bomb(mebibytes: int) -> bytes:
    """A page of text, then a page whose content unpacks, twice, to so many MiB of spaces."""
    packer = zlib.compressobj(9)
    once = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(mebibytes)) + packer.flush()
    objects = pdf_objects(["before the bomb", "x"])
    objects[7] = stream(zlib.compress(once, 9), b"/Filter [/FlateDecode /FlateDecode]")
    return pdf_from(objects)


def encrypted_pdf(password: str, *pages: str) -> bytes:
    """A PDF under AES-256 that opens with `password`."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(*pages))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP of named parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return out.getvalue()


def paragraph(text: str, properties: str = "") -> str:
    """A Word paragraph."""
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def table(rows: Iterable[Iterable[str]]) -> str:
    """A Word table; cells are text, or XML if they begin with "<"."""
    cells = ("".join(f"<w:tc>{c if c.startswith('<') else paragraph(c)}</w:tc>" for c in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def docx(body: str, parts: Mapping[str, str] | None = None, prolog: str = "") -> bytes:
    """A Word document of this body; `parts` are further inner contents by path, e.g. {"word/styles.xml": …}."""
    wrapped = {path: f'<w:root xmlns:w="{_W}">{content}</w:root>' for path, content in (parts or {}).items()}
    document = f'{prolog}<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
    return archive({"word/document.xml": document, **wrapped})


def notebook(*cells: Mapping[str, Any]) -> bytes:
    """A Jupyter notebook."""
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()

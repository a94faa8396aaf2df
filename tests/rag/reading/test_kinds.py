"""Names against contents."""

from __future__ import annotations

import pytest

from rag.errors import DamagedSource, EmptySource, UnsupportedType
from rag.reading.kinds import READERS, SUPPORTED, media_type

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
ELF = b"\x7fELF" + bytes(100)
PDF = b"%PDF-1.4\n"


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.pdf", PDF, "application/pdf"),
        ("A.PDF ", b"junk\n" + PDF, "application/pdf"),
        ("no extension", PDF, "application/pdf"),
        ("a.htm", b"<p>", "text/html"),
        ("a.md", b"x", "text/markdown"),
        ("folder.d\\a.csv", b"x", "text/csv"),
        ("a.txt", "Größe".encode("utf-16"), "text/plain"),
        ("BM.txt", b"BMW and MZ are letters", "text/plain"),
        ("a", b"x", "text/plain"),
    ],
)
def test_accepted(name, head, expected):
    assert media_type(name, head, len(head)) == expected
    assert expected in READERS


@pytest.mark.parametrize(
    ("name", "head", "error", "words"),
    [
        ("a.txt", b"", EmptySource, "0 bytes"),
        ("a.txt", PNG, DamagedSource, "a PNG picture"),
        ("a.csv", b"PK\x03\x04....", DamagedSource, "a ZIP archive"),
        ("a.pdf", ELF, DamagedSource, "a program"),
        ("a.pdf", b"<html>", DamagedSource, "a web page"),
        ("a.docx", b"plain words", DamagedSource, "plain text"),
        ("a.txt", PDF, DamagedSource, "end in .pdf"),
        ("a.md", bytes(range(256)) * 20, DamagedSource, "binary"),
        ("a", PNG, UnsupportedType, "a PNG picture"),
        ("a.xlsx", b"PK\x03\x04", UnsupportedType, "a spreadsheet"),
        ("a.eml", b"From: x", UnsupportedType, "What can be read: PDF"),
        ("a.tar.gz", b"\x1f\x8b", UnsupportedType, "an archive"),
    ],
)
def test_refused(name, head, error, words):
    with pytest.raises(error, match=words) as caught:
        media_type(name, head, len(head))
    assert name not in str(caught.value) or name == "a"


def test_every_reader_has_a_version_of_ours():
    assert all(name.isalpha() and version.isdigit() for name, version in (r.split("/") for r in READERS.values()))
    assert len(set(SUPPORTED)) == len(SUPPORTED)

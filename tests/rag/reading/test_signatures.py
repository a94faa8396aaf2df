"""First bytes: pictures, programs and archives under the names of texts, and texts that begin like one."""

from __future__ import annotations

import codecs
import random

import pytest

from rag.reading.signatures import binary_kind, is_ole, is_pdf, is_zip, looks_binary, utf16_without_bom

NOISE = random.Random(5).randbytes(2000)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"\xff\xd8\xff\xe0", "a JPEG picture"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x7fELF", "a program"),
        (b"SQLite format 3\x00", "a database"),
        (b"\x00\x00\x00\x18ftypmp42", "a video or sound file"),
        (b"MZ" + NOISE, "a program"),
        (b"RIFF" + NOISE, "a sound, video or picture file"),
        (NOISE, "binary, not text"),
    ],
)
def test_what_is_no_text_is_named(head, kind):
    assert binary_kind(head) == kind


@pytest.mark.parametrize(
    "head",
    [
        b"MZ is how the name of Mark Zbikowski begins.",
        b"BM, ID3 and RIFF are words too.",
        b"ftyp in the first place",
        "Größe".encode("utf-16"),
        codecs.BOM_UTF32_BE + "Größe".encode("utf-32-be"),
        "Ein Text ohne Marke".encode("utf-16-le"),
        "Größe".encode("latin-1"),
        b"a form feed \x0c and \x1b[0m colours",
        b"",
    ],
)
def test_what_may_be_text_is_not_refused(head):
    assert binary_kind(head) is None


def test_a_few_strays_make_no_text_binary():
    assert not looks_binary(b"words \x00\x01 and words")
    assert looks_binary(b"\x00\x01\x02\x03")
    assert looks_binary(NOISE)
    assert not looks_binary(b"")


def test_wide_characters_are_told_by_their_zeros():
    text = "Ein Text ohne Marke"
    assert utf16_without_bom(text.encode("utf-16-le")) == "utf-16-le"
    assert utf16_without_bom(text.encode("utf-16-be")) == "utf-16-be"
    assert utf16_without_bom(text.encode("utf-16-le")[:-1]) == "utf-16-le", "cut off in the middle of a character"
    assert utf16_without_bom(text.encode()) is None
    assert utf16_without_bom(bytes(100)) is None
    assert utf16_without_bom("Ein".encode("utf-16-le")) is None, "too short to tell"


def test_containers():
    assert is_pdf(b"junk" * 200 + b"%PDF-1.4")
    assert not is_pdf(b" " * 1024 + b"%PDF-1.4")
    assert is_zip(b"PK\x05\x06")
    assert not is_zip(b"PK")
    assert is_ole(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")

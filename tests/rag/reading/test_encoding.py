"""Bytes to characters: marks, UTF-8, what a file declares, and a guess that says so."""

from __future__ import annotations

import codecs
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DamagedSource, EmptySource
from rag.reading import plain
from rag.reading.encoding import decode
from rag.reading.kinds import PLAIN
from tests.rag.reading.reading_checks import checked

GERMAN = "Für die Größe der Türen gilt: über zwölf Fuß ist schön, und öfter üblich. "


def read(content):
    return checked(plain.read(content, PLAIN))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Größe".encode("utf-8-sig"), "Größe"),
        ("Größe".encode("utf-16"), "Größe"),
        ("Größe".encode("utf-32"), "Größe"),
        ("Ein Text ohne Marke".encode("utf-16-le"), "Ein Text ohne Marke"),
        ("Die Größe ist schön.".encode("latin-1"), "Die Größe ist schön."),
        ("Это русский текст, погода хорошая. ".encode("cp1251") * 5, "Это русский текст"),
        ("これは日本語のテキストです。".encode("shift_jis") * 5, "これは日本語のテキストです。"),
        ("これは日本語".encode("iso2022_jp"), "これは日本語"),
        (b"a\r\nb\rc\x0bd\x0ce\xc2\x85f\xe2\x80\xa8g", "a\nb\nc\nd\ne\nf\ng"),
        (b"a\n\n \n\n\n\nb", "a\n\n\nb"),
        (b"so\xc2\xadft \x00 here and there are words", "soft  here and there are words"),
    ],
)
def test_encodings_and_cleaning(content, expected):
    assert read(content).text.startswith(expected)


def test_broken_bytes_are_replaced_and_told():
    reading = read("Grüße aus Köln und München. ".encode() * 5 + b"\xff\xfe end")
    assert reading.text.endswith("\ufffd\ufffd end")
    assert any("2 places" in note for note in reading.notes)


@pytest.mark.parametrize("content", [b" \n\t", "\u00a0\u3000\n".encode(), "\ufeff\u200b".encode()])
def test_nothing_but_white_space(content):
    with pytest.raises(EmptySource):
        read(content)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), min_size=1))
def test_utf8_is_taken_as_it_is_and_without_a_note(text):
    found = decode(codecs.BOM_UTF8 + text.encode())
    assert (found.text, found.note) == (text, None)


def test_a_declaration_counts_where_it_fits_and_utf8_does_not():
    raw = "Это русский текст".encode("koi8-r")
    assert decode(raw, "koi8-r") == ("Это русский текст", None)
    assert decode("Größe".encode(), "koi8-r").text == "Größe"
    for wrong in ("nonsense", "ascii", "utf-8"):
        assert decode(GERMAN.encode("cp1252"), wrong) == decode(GERMAN.encode("cp1252"))


@pytest.mark.parametrize("codec", ["cp1252", "cp1250"])
def test_a_guess_says_which_it_was(codec):
    found = decode((GERMAN * 8).encode(codec))
    assert found.text == GERMAN * 8
    assert found.note is not None
    assert found.note.startswith("This file is not UTF-8: it was read as ")


def test_a_few_broken_places_are_counted():
    good = (GERMAN * 3).encode()
    one, two = decode(good + b"\xff"), decode(good + b"\xff and \xfe")
    assert one.note is not None
    assert "1 place now show" in one.note
    assert two.note is not None
    assert "2 places now show" in two.note
    assert one.text == GERMAN * 3 + "\ufffd"


def test_one_stray_byte_in_much_plain_english_is_a_replaced_one():
    found = decode(b"Plain words of an English text, and more of them. " * 20 + b"\x81")
    assert found.text.endswith("\ufffd")
    assert found.note is not None
    assert "1 place" in found.note


def test_a_wide_encoding_cut_in_the_middle_of_a_character_is_told():
    found = decode("Ein längerer Text".encode("utf-16")[:-1])
    assert found.text.startswith("Ein längerer Tex")
    assert found.note is not None


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF8])
def test_noise_is_no_text_whatever_mark_it_bears(mark):
    with pytest.raises(DamagedSource):
        decode(mark + random.Random(3).randbytes(4000))

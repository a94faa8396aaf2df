"""HTML: the title, the encoding that a page declares, and what is left out is said."""

from __future__ import annotations

import pytest

from rag.errors import EmptySource
from rag.reading import html as room
from rag.reading.kinds import HTML
from tests.rag.reading.reading_checks import checked, headings


def read(content):
    return checked(room.read(content, HTML))


@pytest.mark.parametrize(
    "page",
    [
        '<meta charset="iso-8859-1"><p>Größe “q”'.encode("cp1252"),
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1252"><p>Größe “q”'.encode("cp1252"),
        "<p>Größe “q”".encode(),
        '<meta charset="latin1"><p>Größe “q”'.encode(),
        "\ufeff<p>Größe “q”".encode("utf-16-le"),
    ],
)
def test_encodings(page):
    assert read(page).text == "Größe “q”"


def test_a_title_that_the_first_heading_repeats_is_left_out():
    assert read(b"<title>Pumps</title><h1>All about Pumps</h1><p>x").text == "All about Pumps\n\nx"
    assert read(b"<title>Fans</title><h1>All about Pumps</h1><p>x").text == "Fans\n\nAll about Pumps\n\nx"
    assert headings(read(b"<title>Fans</title><p>x")) == []


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'<?xml version="1.0" encoding="koi8-r"?><meta charset="utf-8">', "koi8-r"),
        (b"<META CHARSET = 'shift_jis'>", "shift_jis"),
        (b"<meta charset=ascii>", "cp1252"),
        (b"<meta charset=nonsense>", None),
        (b"<meta charset=\xff\xfe>", None),
        (b"<p>charset=utf-8", None),
        (b" " * 9000 + b"<meta charset=koi8-r>", None),
    ],
)
def test_what_a_page_declares(head, expected):
    assert room.declared_encoding(head) == expected


def test_a_declaration_that_does_not_fit_is_not_believed():
    assert read('<meta charset="shift_jis"><p>Größe'.encode()).text == "Größe"


def test_a_note_of_the_encoding_comes_along():
    (note,) = read("<p>Die Größe der Türen ist schön, für alle Häuser.".encode("cp1252")).notes
    assert "cp1252" in note


@pytest.mark.parametrize("page", [b"<html><body></body></html>", b"<title> </title>", b"<script>x</script>"])
def test_a_page_that_shows_nothing_is_empty(page):
    with pytest.raises(EmptySource):
        read(page)

"""Text as all readers write it: line ends, unseen characters, blank lines, and places that stay true."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import EmptySource, SourceTooLarge
from rag.reading.cleaning import TEXT_LIMIT, Composer, check_length, clean, is_blank
from rag.reading.kinds import PLAIN
from tests.rag.reading.reading_checks import checked

ODD = st.text(st.sampled_from("ab \t\n\r\x0b\x0c\x85\u2028\x00\xad\ufeff\ud800é"), max_size=40)


@given(ODD)
def test_cleaning_twice_changes_nothing(text):
    once = clean(text)
    assert clean(once) == once
    assert not set(once) & set("\r\x0b\x0c\x85\u2028\x00\xad\ufeff\ud800")
    assert "\n\n\n\n" not in once
    assert once == once.rstrip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("soft\xadhyphen", "softhyphen"),
        ("a\ud83d", "a\ufffd"),
        ("\n \n  indented\n\n", "  indented"),
        ("a\n\n\n\n\nb", "a\n\n\nb"),
        ("a\tb", "a\tb"),
    ],
)
def test_clean(text, expected):
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "blank"), [("", True), (" \n\u3000", True), ("\u200b\u2060", True), (".", False), ("\u200bx", False)]
)
def test_blank_is_what_leaves_no_mark(text, blank):
    assert is_blank(text) is blank


def test_places_are_those_of_the_whole_text():
    composer = Composer()
    assert composer.add("Before.") == 0
    assert composer.add(" \u200b ") is None
    composer.add_heading(9, " A  long\ntitle ", "A long title\n============", gap="\n")
    composer.add_heading(0, "Top")
    assert composer.add_page(3, "A page.")
    assert not composer.add_page(4, "\n")
    reading = checked(composer.reading(PLAIN))
    assert reading.text == "Before.\nA long title\n============\n\nTop\n\nA page."
    assert [(one.level, one.title, reading.text[one.start : one.end]) for one in reading.headings] == [
        (6, "A long title", "A long title"),
        (1, "Top", "Top"),
    ]
    assert [(one.number, reading.text[one.start : one.end]) for one in reading.pages] == [(3, "A page.")]


def test_a_heading_of_nothing_is_none():
    composer = Composer()
    composer.add_heading(1, " \n")
    composer.add_heading(1, "", "lines without a title")
    assert composer.reading(PLAIN).headings == ()


def test_a_note_is_kept_once_and_none_is_none():
    composer = Composer()
    composer.add("x")
    for sentence in ("One.", None, "", "Two.", "One."):
        composer.note(sentence)
    assert composer.reading(PLAIN).notes == ("One.", "Two.")


def test_nothing_at_all_is_empty():
    with pytest.raises(EmptySource, match="nothing in it but white space"):
        Composer().reading(PLAIN)


def test_the_limit_counts_all_blocks_and_what_lies_between_them():
    check_length(TEXT_LIMIT)
    composer = Composer()
    half = "x" * (TEXT_LIMIT // 2)
    composer.add(half)
    with pytest.raises(SourceTooLarge, match="20 million"):
        composer.add(half)  # two line ends too many
    with pytest.raises(SourceTooLarge):
        check_length(TEXT_LIMIT + 1)

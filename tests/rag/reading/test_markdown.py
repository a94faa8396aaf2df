"""Markdown: the text as it was written, and its headings."""

from __future__ import annotations

import pytest

from rag.reading import markdown as room
from rag.reading.cleaning import Composer
from rag.reading.kinds import MARKDOWN
from tests.rag.reading.reading_checks import checked


def read(content):
    return checked(room.read(content, MARKDOWN))


def headings_of(reading):
    return [(h.level, h.title, reading.text[h.start : h.end]) for h in reading.headings]


def titles(text: str) -> list[str]:
    return [heading.title for heading in read(text.encode()).headings]


def test_headings_not_in_code():
    text = "---\ntitle: t\n---\n\n# One\n\nText.\n\n```\n# no\n```\n\nTwo *b*\n---\n\n    # no\n\n### Three #\n"
    reading = read(text.encode())
    assert headings_of(reading) == [(1, "One", "# One"), (2, "Two b", "Two *b*"), (3, "Three", "### Three #")]
    assert reading.text == text.strip()


def test_markup_stays_text():
    text = "[a](javascript:alert(1)) <b>bold</b> `<i>`\n\n<script>alert(3)</script>\n\n[f]: javascript:alert(4)"
    assert read(text.encode()).text == text


def test_embedded_pictures_are_left_out():
    reading = read(b"before ![p](data:image/png;base64," + b"QUJD" * 5000 + b") after")
    assert reading.text == "before ![p](data:\u2026) after"
    assert any("Pictures" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# Plain", "Plain"),
        ("# A [link](https://a.example/x(1)) here", "A link here"),
        ("# A ![picture](<a b.png> 'title')", "A picture"),
        ("# **Bold** and *thin* and `code` __x__", "Bold and thin and code x"),
        ("# 2 * 3 * 4", "2 * 3 * 4"),
        ("# [not a link]", "[not a link]"),
        ("# Closed ##", "Closed"),
        ("#\tTab", "Tab"),
    ],
)
def test_a_title_is_what_is_read_and_not_what_is_typed(line: str, title: str) -> None:
    assert titles(line + "\n\nText.") == [title]


@pytest.mark.parametrize("text", ["#hashtag", "\\# not", "    # code", "<!--\n# no\n-->", "<div>\n# no\n</div>"])
def test_what_only_looks_like_a_heading(text: str) -> None:
    assert titles(text) == []
    assert read(text.encode()).text == text


def test_headings_in_lists_and_quotes_are_headings():
    assert titles("> # Quoted\n\n- # Listed\n") == ["Quoted", "Listed"]


def test_lines_between_dashes_at_the_top_are_no_heading():
    assert titles("---\ntitle: x\n---\n# One\n") == ["One"]
    # Nothing closes them: then they are what Markdown takes them for.
    assert titles("---\nText\n\n# One\n") == ["One"]


def test_blank_lines_stay_as_they_were_around_every_block():
    text = "# One\nright below\n\n\n## Two\n```\ncode\n```\nafter\n<div>\nx\n</div>\n\nend"
    assert read(text.encode()).text == text


def test_composing_goes_on_after_what_is_there():
    composer = Composer()
    composer.add("Before.")
    room.compose("## Second\n\nText.\n", composer)
    room.compose("   \n", composer)
    reading = composer.reading(MARKDOWN)
    assert reading.text == "Before.\n\n## Second\n\nText."
    assert headings_of(checked(reading)) == [(2, "Second", "## Second")]


@pytest.mark.parametrize("text", ["[a](" * 3000, "![" * 3000, "# " + "[a](b" * 3000, "*a" * 5000, "# " + "**" * 5000])
def test_hostile_links_come_to_an_end(text: str) -> None:
    assert read(text.encode()).text == text


def test_small_pictures_stay_and_large_ones_go_with_a_note():
    small = "![p](data:image/png;base64," + "QUJD" * 10 + ")"
    large = small.replace("QUJD" * 10, "QUJD" * 60)
    assert (read(small.encode()).text, read(small.encode()).notes) == (small, ())
    reading = read(f"{large} and {large}".encode())
    assert reading.text == "![p](data:…) and ![p](data:…)"
    assert len(reading.notes) == 1

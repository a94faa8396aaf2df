"""What reading a source gives: plain text, and where in it pages and headings lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """One page: characters `start` to `end` (exclusive) of the text belong to page `number` (from 1)."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class Heading:
    """A heading of `level` 1 (top) to 6, whose line is characters `start` to `end` (exclusive) of the text."""

    level: int
    start: int
    end: int
    title: str


@dataclass(frozen=True)
class Reading:
    """A source as text.

    `text` has `\\n` line ends only, no NUL, no lone surrogates, and is never empty or only white space.
    `pages` and `headings` are in order of `start`; `pages` is empty for formats that have none.
    `notes` are sentences for the user: what was replaced, skipped or cut.
    """

    text: str
    media_type: str
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()
    notes: tuple[str, ...] = ()

"""One way of writing text for all readers: line ends, control characters, blank lines, and places that stay true."""

from __future__ import annotations

import re

from rag.errors import EmptySource, SourceTooLarge
from rag.reading.places import Heading, Page, Reading

TEXT_LIMIT = 20_000_000
"""Characters of text that one source may hold."""

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Control characters, soft hyphens and stray byte order marks: nobody sees them, and they split words in two.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK_RUN = re.compile(r"\n(?:[^\S\n]*\n){3,}")
_LEADING_BLANK = re.compile(r"\A(?:[^\S\n]*\n)+")


def check_length(characters: int) -> None:
    """Raises SourceTooLarge when a source has more characters than TEXT_LIMIT."""
    if characters > TEXT_LIMIT:
        raise SourceTooLarge(
            f"This file holds more than {TEXT_LIMIT // 1_000_000} million characters of text. "
            "Split it into smaller files, then add those."
        )


def clean(text: str) -> str:
    """The text with `\\n` line ends, nothing unseen, at most two blank lines in a row, none at its start or end.

    Applying it twice changes nothing.
    """
    text = _LINE_ENDS.sub("\n", text)
    text = _UNSEEN.sub("", text)
    text = _SURROGATE.sub("\ufffd", text)
    text = _BLANK_RUN.sub("\n\n\n", text)
    return _LEADING_BLANK.sub("", text).rstrip()


def is_blank(text: str) -> bool:
    """True when nothing in the text leaves a mark: white space of any script, zero-width characters."""
    return not any(character.isprintable() and not character.isspace() for character in text)


class Composer:
    """Collects blocks of text and remembers where headings and pages lie in the whole."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._headings: list[Heading] = []
        self._pages: list[Page] = []
        self._notes: list[str] = []

    def add(self, block: str, gap: str = "\n\n") -> int | None:
        """Append one cleaned block, `gap` after what is already there; its start, or None if the block is blank.

        Raises SourceTooLarge beyond TEXT_LIMIT.
        """
        check_length(self._length + len(block))  # before cleaning, which would copy it
        block = clean(block)
        if is_blank(block):
            return None
        if self._parts:
            self._parts.append(gap)
            self._length += len(gap)
        start = self._length
        self._parts.append(block)
        self._length += len(block)
        check_length(self._length)
        return start

    def add_heading(self, level: int, title: str, lines: str | None = None, gap: str = "\n\n") -> None:
        """Append a heading; `level` is cut to 1 … 6. `lines` is what to write, if that is not the title itself.

        The place of the heading is its first line.
        """
        title = " ".join(clean(title).split())
        text = title if lines is None else clean(lines)
        start = self.add(text, gap)
        if start is not None and title:
            self._headings.append(Heading(min(max(level, 1), 6), start, start + len(text.split("\n")[0]), title))

    def add_page(self, number: int, text: str) -> bool:
        """Append one page; False if it is blank."""
        start = self.add(text)
        if start is None:
            return False
        self._pages.append(Page(number, start, self._length))
        return True

    def note(self, sentence: str | None) -> None:
        """Keep a sentence for the user, once."""
        if sentence and sentence not in self._notes:
            self._notes.append(sentence)

    def reading(self, media_type: str) -> Reading:
        """Everything collected. Raises EmptySource when that is nothing."""
        if not self._parts:
            raise EmptySource("This file holds no text: there is nothing in it but white space.")
        return Reading("".join(self._parts), media_type, tuple(self._pages), tuple(self._headings), tuple(self._notes))

"""Where the sentences of a text begin and end. No model, any script."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BREAK = re.compile(
    r"(?<=[.!?…؟۔।॥።։។။])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<!\bcf\.)(?<!\betc\.)(?<!\bDr\.)(?<!\bMr\.)(?<!\bz\.B\.)"
    r"[\"'”’»)\]]*\s+(?=[^\s.,;:])"
    r"|(?<=[。！？｡])|(?<=[؟۔।॥።។။])(?=\w)"
    r"|\n[^\S\n]*\n\s*|\n(?=[^\S\n]*(?:[-*+•·#|>]|\d{1,2}[.)])\s)"
)
_ABBREVIATED = re.compile(
    r"(?:^|[\s(.“\"'-])(?:[A-Z]|St|No|Mt|Ft|Gen|Col|Lt|Sgt|Capt|Prof|Rev|Hon|Gov|Sen|Rep|Mrs|Ms|ca|Nr|bzw|Fig|Vol|Abs)\.$"
)
"""What ends in such a word is no whole sentence: `Nicholas E.` goes on."""


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Character ranges of the sentences and list items of a text, without white space around them."""
    at = 0
    for match in _BREAK.finditer(text):
        yield from _trimmed(text, at, match.end())
        at = match.end()
    yield from _trimmed(text, at, len(text))


def unbroken(text: str) -> Iterator[tuple[int, int]]:
    """As `sentences`, those that an initial or a title cut in two as one."""
    begun: tuple[int, int] | None = None
    for start, end in sentences(text):
        if begun and _ABBREVIATED.search(text[begun[0] : begun[1]]) and "\n" not in text[begun[1] : start]:
            begun = begun[0], end
            continue
        if begun:
            yield begun
        begun = start, end
    if begun:
        yield begun


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end

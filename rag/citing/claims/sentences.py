"""Where the sentences of a text begin and end."""

from __future__ import annotations

import re

from rag.citing.claims.lexicon import ABBREVIATIONS, MONTHS
from rag.citing.claims.term import folded
from rag.text.sentences import sentences


def whole_sentences(text: str) -> list[tuple[int, int]]:
    """Character ranges of the sentences, as `rag.text.sentences.sentences`, but not broken behind an abbreviation, an
    initial or a German ordinal."""
    found: list[tuple[int, int]] = []
    for start, end in sentences(text):
        if found and _goes_on(text, found[-1], start):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _goes_on(text: str, before: tuple[int, int], start: int) -> bool:
    if text[before[1] - 1] != "." or start - before[1] > 3 or "\n\n" in text[before[1] : start]:
        return False
    last = text[max(before[0], before[1] - 16) : before[1] - 1].split()
    word = last[-1].lstrip("(\"'“„«[") if last else ""
    if word.casefold() in ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word.isupper()):
        return True
    after = re.match(r"\w+", text[start : start + 20])
    if after is None:
        return False
    if word.isdigit() and len(word) <= 4 and folded(after[0]) in MONTHS and before[1] - before[0] > 5:
        return True
    return after[0][0].islower()

"""Words of a text, for scoring and checking. No model, any script."""

from __future__ import annotations

import re
import unicodedata

from rag.text.scripts import PAIRED_RUN

_MARKS = "".join(
    char
    for char in map(chr, (*range(0x0300, 0x1300), *range(0x1700, 0x1B00), 0x3099, 0x309A))
    if unicodedata.category(char).startswith("M")
)
"""Vowel signs and accents, which `\\w` does not count as letters."""
_WORD = re.compile(rf"[\w{_MARKS}]+(?:[.'’-][\w{_MARKS}]+)*")
_FOLDED = str.maketrans({"đ": "d", "ı": "i", **dict.fromkeys("\u00ad\u0640\u200b\u200c\u200d\u2060\ufeff", "")})
"""Letters that do not come apart into a plain one and an accent; stretches, and what joins letters unseen."""
_NUKTA = 7  # the dot under Indic letters that many leave away, by its class of combining
_STOP = frozenset(
    """
    a an and any are as at be been but by can could did do does for from had has have how i if in into is it its me my
    no nor not of on or our she should so such than that the their them then there these they this those to was we were
    what when where which who whom whose why will with would you your about after before between during
    der die das und ist ein eine in im den dem des zu mit auf für von wie was wer wo wann warum welche
    le la les un une des et est dans en du de que qui quoi où quand comment pourquoi quel quelle
    el los las y es en un una de del que qué quién dónde cuándo cómo por para
    """.split()  # noqa: SIM905 - a list of a hundred quoted words is unreadable
)


def content_words(text: str) -> list[str]:
    """The words that carry meaning, folded for comparing: no case, no accents, a common English ending taken off;
    scripts without spaces as pairs of characters."""
    folded = text.casefold()
    if not folded.isascii():
        apart = unicodedata.normalize("NFKD", folded).translate(_FOLDED)
        folded = unicodedata.normalize("NFC", "".join(char for char in apart if not _accent(char)))
    words: list[str] = []
    for match in _WORD.finditer(folded):
        word = match.group()
        if PAIRED_RUN.search(word):
            for run in PAIRED_RUN.findall(word):
                words += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
        elif word not in _STOP and (len(word) > 1 or word.isdigit()):
            words.append(_stem(word))
    return words


def _accent(char: str) -> bool:
    """Whether a word is the same without it: accents, and vowel marks of Hebrew and Arabic; no vowel signs."""
    combining = unicodedata.combining(char)
    return combining == _NUKTA or (combining > 0 and char < "\u0900")


def _stem(word: str) -> str:
    for ending in ("'s", "’s"):
        word = word.removesuffix(ending)
    for ending, rest in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: len(word) - len(ending)] + rest
    return word.removesuffix("e") if len(word) > 4 else word

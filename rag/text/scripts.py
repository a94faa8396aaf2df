"""Scripts: which writing a text is in, and the languages that are written in it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

NOT_LATIN = frozenset(
    "ar be bg bn el fa gu he hi hy ja ka kk km kn ko lo mk ml mr my ne pa ru si sr ta te th uk ur zh".split()  # noqa: SIM905
)
"""Languages whose script is not the Latin one."""
SPACELESS = frozenset("ja km ko lo my th zh".split())  # noqa: SIM905
"""Languages whose terms are pairs of characters."""
_SCRIPTS = {
    "HIRAGANA": ("ja",),
    "KATAKANA": ("ja",),
    "CJK": ("zh", "ja"),
    "HANGUL": ("ko",),
    "THAI": ("th",),
    "LAO": ("lo",),
    "KHMER": ("km",),
    "MYANMAR": ("my",),
    "DEVANAGARI": ("hi", "mr", "ne"),
    "GREEK": ("el",),
    "CYRILLIC": ("ru", "uk", "be", "bg", "mk", "sr", "kk"),
    "ARABIC": ("ar", "fa", "ur"),
    "HEBREW": ("he",),
    "ARMENIAN": ("hy",),
    "GEORGIAN": ("ka",),
    "BENGALI": ("bn",),
    "TAMIL": ("ta",),
    "TELUGU": ("te",),
    "GUJARATI": ("gu",),
    "GURMUKHI": ("pa",),
    "KANNADA": ("kn",),
    "MALAYALAM": ("ml",),
    "SINHALA": ("si",),
}
"""First word of the Unicode names of a script's letters, and the languages written in it, likely ones first."""


MARKS = "".join(
    f"{chr(first)}-{chr(last)}"
    for first, last in (
        (0x0300, 0x036F),
        (0x0483, 0x0489),
        (0x0591, 0x05C7),
        (0x0610, 0x061A),
        (0x064B, 0x065F),
        (0x0670, 0x0670),
        (0x06D6, 0x06ED),
        (0x0900, 0x0DFF),
        (0x0E31, 0x0E4E),
        (0x0EB1, 0x0ECE),
        (0x0F71, 0x0F84),
        (0x102B, 0x103E),
        (0x17B4, 0x17D3),
    )
)
"""Vowel signs and accents, which `\\w` does not count as letters."""
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f々〆"
_KANA_AND_HANGUL = "\u3041-\u30ff\u31f0-\u31ff\u1100-\u11ff\uac00-\ud7af"
_SYLLABLES = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer: several characters make a syllable
SPACELESS_RUN = re.compile(f"[{_HAN}{_KANA_AND_HANGUL}]+|[{_SYLLABLES}]+")
"""Runs of writing without spaces, whose terms are pairs of characters."""
PAIRED_RUN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]+")
"""The same where words are compared and not searched for: without Lao, Burmese and Khmer, and rare ideographs."""
_AFTER_LATIN = "\u0250"  # Latin Extended-B ends here


def is_latin(text: str) -> bool:
    """Whether at least half of the letters are Latin ones; also without letters."""
    letters = [char for char in text if char.isalpha()]
    return 2 * sum(char < _AFTER_LATIN for char in letters) >= len(letters)


def is_dense(text: str) -> bool:
    """Whether even a few letters tell the language: ideographs, kana, Hangul."""
    return sum(1 for char in text if "\u3040" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af") >= 4


def languages_of(question: str) -> tuple[str, ...]:
    """The languages of the script that most letters are of; none for Latin letters."""
    letters = Counter(unicodedata.name(char, "").split(" ", 1)[0].split("-")[0] for char in question if char.isalpha())
    if not letters:
        return ()
    if letters["HIRAGANA"] + letters["KATAKANA"] and letters["CJK"]:
        return ("ja",)
    # Names in Latin letters stand in questions of every script.
    foreign = {script: times for script, times in letters.items() if script in _SCRIPTS}
    if sum(foreign.values()) * 3 < sum(letters.values()):
        return ()
    return _SCRIPTS[max(foreign, key=lambda script: foreign[script])]

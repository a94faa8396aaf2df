"""Scripts: which writing a text is in, and the languages that are written in it."""

from __future__ import annotations

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


def _by_script(question: str) -> tuple[str, ...]:
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

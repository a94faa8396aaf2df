"""Common words of languages, left out of questions; and which language a question is in, told by them.

A question is too short for a detector trained on sentences, and must not wait for one: its script and its common words
tell enough. Where they do not (`copper book`), its language is unknown, which is fine: it is then taken for that of
what it finds.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from rag.text.scripts import NOT_LATIN, languages_of

_LISTS = Path(__file__).parent / "assets" / "stopwords.txt"
_WORDS = re.compile(r"[^\W\d_]+")


def stop_words(language: str) -> frozenset[str]:
    """Common words of a language by its ISO 639-1 code, in small letters; none where there is no list."""
    return _lists().get(language, frozenset())


@functools.cache
def _lists() -> Mapping[str, frozenset[str]]:
    lines = (line.split() for line in _LISTS.read_text("utf-8").splitlines() if not line.startswith("#"))
    return {language: frozenset(words) for language, *words in lines}


def question_language(question: str, preferred: Collection[str] = ()) -> str:
    """ISO 639-1 code of a question's language; empty where nothing tells.

    `preferred` are the languages of the sources (empty: English): of several that are as likely, one of them is taken;
    of another language there must be two common words, because one is soon there by chance (`cat` is Romanian).
    """
    return _question_language(question, frozenset(one or "en" for one in preferred))


@functools.lru_cache(maxsize=64)  # both full text and fusion ask
def _question_language(question: str, preferred: frozenset[str]) -> str:
    words = [match.group() for match in _WORDS.finditer(question.casefold())]
    among = languages_of(question)
    if among:
        if len(among) == 1:
            return among[0]
        counts = _counts(words, among)
        return max(among, key=lambda one: (counts[one], one in preferred, -among.index(one)))
    counts = _counts(words, _latin())
    likely = sorted(one for one, times in counts.items() if times > 1 or one in preferred)
    return max(likely, key=lambda one: (counts[one], one in preferred, one == "en"), default="")


def _counts(words: Collection[str], among: Collection[str]) -> Counter[str]:
    return +Counter({one: sum(word in stop_words(one) for word in words) for one in among})


@functools.cache
def _latin() -> tuple[str, ...]:
    """The languages in Latin letters that there are lists for."""
    return tuple(sorted(_lists().keys() - NOT_LATIN))

"""How much of a question its passages hold, counting rare words more. No model; any language that `rag.text.analysis`
cuts.

Nothing here depends on the model or on how large the notebook is: every measure is a share, or a few words counted.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import NamedTuple

from rag.tables.frequencies import Frequencies
from rag.text.analysis import asked_words, terms
from rag.text.bm25 import saturated
from rag.text.sentences import sentences
from rag.text.stopwords import question_language

_READ, _SENTENCES = 5, 60
"""Passages that are quoted from, best first, and sentences of them."""
_SHORTEST, _LEAST_PREFIX = 4, 0.5
_INSIDE, _SHORTEST_INSIDE = 0.7, 5
_LEAST_LIKENESS = 0.8
_NAMES = 2
_TOKEN = re.compile(r"[^\W_]+(?:[.'’_-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?:]\W*$")


class Coverage(NamedTuple):
    """What the best passage, or the best sentence, holds of a question's words, weighed by how rare they are: shares of
    the weight of all of them. A word with the same beginning, or inside of which it stands, counts in part.

    `words`: in one passage. `lead`: how much more than in the next best passage. `sentence`: in one sentence. `bm25`:
    in one passage, counting repetitions, and less in a long one; up to 2.2. `strange`: how many of the names and
    numbers asked for, two at most, are nowhere in the notebook, nor anything like them in the passages.
    """

    words: float
    lead: float
    sentence: float
    bm25: float
    strange: int


def coverage(
    question: str, passages: Sequence[tuple[str, str]], frequencies: Frequencies, languages: Collection[str]
) -> Coverage | None:
    """What the passages, each a text and its language, hold of the question; None for one without words.

    `languages` are those of the notebook.
    """
    asked = asked_words(question, frozenset(languages))
    if not asked:
        return None
    weights = [frequencies.weight(word) for word in asked]
    total = sum(weights)

    def held(found: Collection[str]) -> float:
        return sum(weight * _held(word, found) for word, weight in zip(asked, weights, strict=True)) / total

    counts = [Counter(terms(text, language)) for text, language in passages]
    best = sorted((held(found) for found in counts[:_READ]), reverse=True)
    said = (
        set(terms(text[start:end], language))
        for text, language in passages[:_READ]
        for start, end in islice(sentences(text), _SENTENCES)
    )
    spoken = question_language(question, languages)
    strange = (
        not any(frequencies.stands(term) for term in name) and not any(_held(name, found) for found in counts[:_READ])
        for name in _names(question, spoken)
    )
    return Coverage(
        words=best[0] if best else 0.0,
        lead=best[0] - best[1] if len(best) > 1 else 0.0,
        sentence=max(map(held, said), default=0.0),
        bm25=max((_bm25(asked, weights, found, frequencies.length) for found in counts), default=0.0) / total,
        strange=sum(islice(filter(None, strange), _NAMES)),
    )


def _names(question: str, language: str) -> Iterator[tuple[str, ...]]:
    """Names and numbers of a question, as terms: words with a digit, and words with a capital letter that do not begin
    it. Where a script has no capitals, the words in Latin letters."""
    cased = any(char.islower() for char in question)
    for match in _TOKEN.finditer(question):
        token = match.group()
        found = terms(token, language)
        first = token.lstrip("0123456789")[:1]
        if not token.isascii() and not (first.islower() or first.isupper()):
            yield from ((term,) for term in found if term.isascii())  # 第50届NFL
            continue
        if not any(char.isdigit() for char in token):
            begins = not match.start() or _SENTENCE_END.search(question[: match.start()])
            if begins or not cased or not any(char.isupper() for char in token):
                continue
        if found:
            yield tuple(found)


def _held(word: Sequence[str], found: Collection[str]) -> float:
    return max(1.0 if term in found else _alike(term, found) for term in word)


def _alike(term: str, found: Collection[str]) -> float:
    """How far the likest term is the same: an inflection that no stemmer knows, part of a compound, a typing error."""
    if len(term) < _SHORTEST or not term.isalpha():
        return 0.0
    return max((_likeness(term, other) for other in found if other[0] == term[0] or len(other) != len(term)), default=0)


@functools.lru_cache(maxsize=65_536)
def _likeness(one: str, other: str) -> float:
    shorter, longer = sorted((len(one), len(other)))
    if shorter < _SHORTEST:
        return 0.0
    if one in other or other in one:
        return max(shorter / longer, _INSIDE if shorter >= _SHORTEST_INSIDE else 0.0)
    if one[0] != other[0]:
        return 0.0
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), shorter)
    if same >= _SHORTEST and same >= _LEAST_PREFIX * longer:
        return same / longer
    if 2 * shorter < _LEAST_LIKENESS * (shorter + longer):
        return 0.0
    alike = SequenceMatcher(None, one, other, autojunk=False)
    likeness = alike.ratio() if alike.quick_ratio() >= _LEAST_LIKENESS else 0.0
    return likeness if likeness >= _LEAST_LIKENESS else 0.0


def _bm25(asked: Sequence[Sequence[str]], weights: Sequence[float], found: Counter[str], average: float) -> float:
    length = found.total()
    times = [max(found[term] for term in word) for word in asked]
    return sum(
        weight * saturated(tf, length, max(average, 1.0)) for weight, tf in zip(weights, times, strict=True) if tf
    )

"""Answers without a language model: the sentences of the passages that say most about the question, word for word."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rag.citing.answer import Citation, Passage
from rag.text.sentences import unbroken
from rag.text.words import content_words

if TYPE_CHECKING:
    from rag.models.embedder import Embedder

_PASSAGES, _SENTENCES_AT_MOST, _LONGEST = 5, 60, 600
_LONG = 400
_RANK_COST = 0.05
_NEIGHBOUR = 0.1
_WORTH = 0.75
"""A sentence beyond the third is quoted when it scores at least this share of the best one."""


class Extract(NamedTuple):
    """An answer of quoted sentences. `cosine` is that of the question and the closest sentence looked at, None without
    a model; `ahead` by how much the best sentence scores more than the next that says something else, before ranks and
    neighbours count."""

    text: str
    citations: tuple[Citation, ...]
    cosine: float | None
    ahead: float


@dataclass(frozen=True)
class _Candidate:
    passage: Passage
    start: int
    end: int
    score: float = 0.0

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]


def extract(
    question: str,
    passages: Sequence[Passage],
    embedder: Embedder | None,
    *,
    most: int = 5,
    least: int = 3,
) -> Extract:
    """An answer of up to `most` sentences of the passages, best first, each followed by its citation; of at least
    `least`, where the passages have so many that say something new.

    A sentence's score is half cosine with the question (with an `embedder`, which should be free of charge), half the
    weight of the question's words in it, a tenth of the better sentence beside it, less 0.05 for each rank of its
    passage. How often the answer is among the first three: docs/answers.md.
    """
    candidates = [
        _Candidate(passage, start, end)
        for passage in passages[:_PASSAGES]
        for begin, stop in unbroken(passage.text)
        for start, end in _pieces(passage.text, begin, stop)
        if any(char.isalpha() for char in passage.text[start:end])
    ][:_SENTENCES_AT_MOST]
    if not candidates:
        return Extract("", (), None, 0.0)
    lexical = _overlaps(question, candidates)
    cosines = _cosines(question, candidates, embedder) if embedder else None
    own = [
        # Without a cosine of the passage the model does not know its language.
        lexical[at] if cosines is None or one.passage.dense is None else 0.5 * float(cosines[at]) + 0.5 * lexical[at]
        for at, one in enumerate(candidates)
    ]
    scored = sorted(
        (
            replace(
                one,
                score=own[at]
                + _NEIGHBOUR * _beside(at, candidates, own)
                - _RANK_COST * (one.passage.n - 1)
                - _oddness(one),
            )
            for at, one in enumerate(candidates)
        ),
        key=lambda one: -one.score,
    )
    chosen: list[_Candidate] = []
    for one in scored:
        if len(chosen) == most or (len(chosen) >= least and one.score < _WORTH * chosen[0].score):
            break
        words = set(content_words(one.text))
        if any(words <= set(content_words(other.text)) for other in chosen):
            continue  # says nothing that is not quoted already
        chosen.append(one)
    text = " ".join(f"{_as_said(one.text)} [{one.passage.n}]" for one in chosen)
    cosine = None if cosines is None else float(cosines.max())
    return Extract(text, tuple(map(_citation, chosen)), cosine, _ahead(candidates, own))


def _ahead(candidates: Sequence[_Candidate], scores: Sequence[float]) -> float:
    order = sorted(range(len(candidates)), key=lambda at: -scores[at])
    best = set(content_words(candidates[order[0]].text))
    for at in order[1:]:
        words = set(content_words(candidates[at].text))
        if not (words <= best or best <= words):  # two chunks may hold the same sentence
            return scores[order[0]] - scores[at]
    return scores[order[0]]


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence, or one that is too long to quote in pieces, cut at spaces: Thai writes none but spaces between its
    sentences."""
    while end - start > _LONGEST:
        cut = text.rfind(" ", start + 1, start + _LONG)
        cut = cut if cut > 0 else start + _LONG
        yield start, cut
        start = cut + (text[cut] == " ")
    yield start, end


def _beside(at: int, candidates: Sequence[_Candidate], scores: Sequence[float]) -> float:
    """The better score of the sentences before and after: an answer often stands beside the words asked for."""
    near = [other for other in (at - 1, at + 1) if 0 <= other < len(candidates)]
    same = candidates[at].passage.n
    return max((scores[other] for other in near if candidates[other].passage.n == same), default=0.0)


def _citation(one: _Candidate) -> Citation:
    begin = one.passage.start
    return Citation(
        n=one.passage.n,
        source=one.passage.source,
        quote=one.text,
        state="verified",
        page=one.passage.page,
        start=None if begin is None else begin + one.start,
        end=None if begin is None else begin + one.end,
        chunk_id=one.passage.chunk_id,
    )


def _as_said(text: str) -> str:
    """A sentence on one line. A `[3]` of the document must not pass for a citation of ours: an invisible word joiner
    goes between bracket and number."""
    return re.sub(r"\[(?=\d)", "[\u2060", " ".join(text.split()))


def _oddness(one: _Candidate) -> float:
    """What a candidate loses for not being a sentence: headings and scraps, table rows, stretches of code."""
    text = one.text.strip()
    if text.count("|") > 1 or text.startswith(("```", "~~~")):
        return 0.25
    if text.startswith("#") or (len(text) < 80 and not text.endswith((".", "!", "?", "。", ":", ";"))):
        return 0.15
    return 0.1 if len(text) > _LONG else 0.0


def _overlaps(question: str, candidates: Sequence[_Candidate]) -> list[float]:
    """Share of the question's words in each sentence, rare words counting more; 0 to 1."""
    asked = set(content_words(question))
    words = [set(content_words(one.text)) for one in candidates]
    frequency = Counter(word for found in words for word in found & asked)
    weight = {word: math.log(1 + len(candidates) / (1 + frequency[word])) for word in asked}
    total = sum(weight.values()) or 1.0
    return [sum(weight[word] for word in found & asked) / total for found in words]


def _cosines(question: str, candidates: Sequence[_Candidate], embedder: Embedder) -> np.ndarray:
    asked = embedder.embed_query(question)
    scores = np.zeros(len(candidates), dtype=np.float32)
    for indexes, matrix in embedder.embed([one.text for one in candidates], "text"):
        scores[indexes] = matrix @ asked
    return scores

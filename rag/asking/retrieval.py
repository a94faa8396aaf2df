"""Searching a snapshot: dense and full-text, fused by their scores, one passage per text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from rag.asking.duplicates import Distinct
from rag.citing.answer import Found, Passage
from rag.errors import BadKey, BadReply, ContextTooLong, QuotaExceeded, ServerDown
from rag.manifest import Receipt, VerdictName
from rag.settings import MULTILINGUAL_MODEL
from rag.text.scripts import NOT_LATIN
from rag.text.stopwords import question_language

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.asking.questions import Questions
    from rag.models.embedder import Usage
    from rag.tables.reader import TableReader

POOL = 100
"""Chunks each search contributes."""

ENGLISH, OTHER, ACROSS, ACROSS_SCRIPTS = 0.6, 0.35, 0.4, 0.1
"""Weight of the cosine in the fused score, and 1 less it for BM25, each divided by the best of its pool.

For a model that knows many languages `ENGLISH` always; for the embedded English model it depends on the languages of
question and chunk: both English; the same other language in Latin letters (in any other script the cosine weighs
nothing, and orders only what words do not find); two languages in Latin letters; two languages, one in another script.

Measured on the dev collections: nDCG@10 by these weights; beside them BM25 over our terms alone,
the model alone, and what was before, reciprocal ranks with weight 0.5 for the model:

| | words | model | ranks | 0.1 | 0.2 | 0.3 | 0.4 | 0.5 | 0.6 | 0.7 |
|---|---|---|---|---|---|---|---|---|---|---|
| Cranfield | .362 | .369 | .401 | .374 | | .392 | .399 | .405 | **.410** | .412 |
| CISI | .369 | .429 | .453 | | .407 | .426 | .442 | .454 | **.453** | .461 |
| CACM | .491 | .400 | | | .526 | .545 | .560 | .560 | **.553** | .530 |
| NPL | .437 | .434 | | | .462 | .480 | .493 | .494 | **.498** | .496 |
| XQuAD English | .962 | .951 | .966 | .964 | | .971 | .973 | .975 | **.978** | .978 |
| XQuAD German (0.35: **.937**) | .926 | .760 | .906 | .930 | .933 | .934 | .934 | .936 | .929 | .912 |
| XQuAD Chinese | **.958** | .430 | .778 | .959 | | .956 | .956 | .954 | .943 | .897 |
| German question, English text | .599 | .559 | .678 | .671 | .676 | .682 | **.684** | .682 | .674 | .652 |
| English question, German text | .606 | .749 | .741 | .724 | .731 | .741 | **.748** | .764 | .774 | .780 |
| Chinese question, English text | .152 | .131 | .235 | **.236** | .236 | .235 | .236 | .231 | .206 | .178 |
| English question, Chinese text | .166 | .353 | .408 | **.408** | .408 | .410 | .407 | .408 | .403 | .388 |

Scores keep what ranks throw away: how far ahead the first hit is. That is why a poor model does so little harm here.
Arabic, Russian or Thai the embedded model does not know at all, hence nothing for them.
"""

SEVERAL = frozenset("ar de en es fr it ja ko nl pl pt ru th tr zh".split())  # noqa: SIM905
SEVERAL_SAME = 0.4
"""Languages of the multilingual local model, and what its cosine weighs where question and chunk are in the same one;
across two of them `ENGLISH`; in any other language as little as that of the embedded model.

nDCG@10 by these weights, the same language:

| | words | model | 0.3 | 0.4 | 0.5 | 0.6 |
|---|---|---|---|---|---|---|
| Cranfield | .364 | .211 | .374 | **.371** | .361 | .347 |
| XQuAD English | .965 | .914 | .971 | **.974** | .974 | .973 |
| XQuAD German | .935 | .883 | .947 | **.951** | .955 | .953 |
"""

_UNANSWERED = (BadKey, BadReply, ContextTooLong, QuotaExceeded, ServerDown)
"""Failures of a model that leave the words of the question to search for. Any other is a wrong vector."""

Stage = Literal["embed the question", "by meaning", "by words"]
STAGES: tuple[Stage, ...] = ("embed the question", "by meaning", "by words")

_LONGEST_QUESTION = 2000
_STEP = 32

__all__ = ["POOL", "Searcher", "Trace", "dense_weight", "multilingual_weight"]


@dataclass
class Trace:
    """What one search writes down of itself, for `Searcher.search`: to be empty before.

    `nearest` and `matching` are the row numbers that each search found itself, best first; `dense` and `lexical` the
    cosines and BM25 scores of all rows that either found. `seconds` were spent in each stage, waits included.
    """

    question: str = ""
    nearest: tuple[int, ...] = ()
    matching: tuple[int, ...] = ()
    dense: Mapping[int, float] = field(default_factory=dict)
    lexical: Mapping[int, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Add what the block takes to a stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] += time.monotonic() - started


@dataclass(frozen=True)
class Searcher:
    """What searching one snapshot needs. `names` maps source ids to display names. Where the model of the questions
    fails, words alone decide and a note says so; `demanding` makes it an error."""

    reader: TableReader
    questions: Questions
    names: Mapping[str, str]
    snapshot: int
    demanding: bool = False

    def search(self, text: str, k: int, rows: NDArray[np.int64] | None = None, trace: Trace | None = None) -> Found:
        """The `k` best passages, best first; among the chunks of those row numbers only, if given. How they came about
        is written into `trace`.

        Raises:
            SpaceRefused: as `Questions.vector`.
            ModelError: the model gave a wrong vector, or is not installed; where `demanding`, any failure of it.
        """
        started = time.monotonic()
        trace = trace or Trace()
        # A command line and JSON can hold half of a surrogate pair, which no model takes.
        question = " ".join(text.encode("utf-8", "replace").decode().split())
        notes: list[str] = []
        if len(question) > _LONGEST_QUESTION:
            question = question[:_LONGEST_QUESTION]
            notes.append(f"The question is long: the first {_LONGEST_QUESTION:,} characters were searched for.")
        if not any(char.isalnum() for char in question):
            notes.append("There are no words to search for.")
            return self._found((), started, None, 0, notes)
        if rows is not None and not len(rows):
            notes.append("No chunk passes the filters.")
            return self._found((), started, None, 0, notes)
        before, canary = self.questions.usage(), self.questions.canary_texts
        # Lance searches while the question is embedded and its vector compared. At first the vectors are read before:
        # the languages that full text needs come along with them.
        begun = self.reader.begin_matching(question, POOL, rows) if self.reader.resident else None
        try:
            with trace.timed("embed the question"):
                vector, note = self.questions.vector(question)
        except _UNANSWERED as error:
            if self.demanding:
                raise
            vector, note = None, f"Searched by words only. {error}"
        if note:
            notes.append(note)
        with trace.timed("by meaning"):
            dense = {} if vector is None else dict(self.reader.nearest(vector, POOL, rows))
        with trace.timed("by words"):
            lexical = dict(self.reader.matching(question, POOL, rows, begun))
        trace.nearest, trace.matching = tuple(dense), tuple(lexical)
        if vector is not None:
            dense |= self.reader.cosines(vector, [number for number in lexical if number not in dense])
        trace.question, trace.dense, trace.lexical = question, dense, lexical
        passages = self._passages(question, dense, lexical, k)
        used = self.questions.usage() - before
        return self._found(passages, started, used, self.questions.canary_texts - canary, notes)

    def behind(self, trace: Trace, found: Found) -> tuple[Passage, ...]:
        """The passages behind those of a search: all others that it found, in their order. Searches nothing anew."""
        everything = self._passages(trace.question, trace.dense, trace.lexical, 2 * POOL)
        return everything[len(found.passages) :]

    def _passages(
        self, question: str, dense: Mapping[int, float], lexical: Mapping[int, float], k: int
    ) -> tuple[Passage, ...]:
        weigh = self._weights(question) if dense else (lambda _: 0.0)
        fused = _fused(dense, lexical, weigh)
        order = sorted(fused, key=lambda number: (-fused[number], -dense.get(number, -1.0), number))
        distinct = Distinct(k)
        alike: list[list[int]] = []
        rows: dict[int, dict[str, Any]] = {}
        # In steps: a text that stands in many sources must not crowd the others out. Their scores are next to each
        # other, so a step of some size finds them all.
        size = max(2 * k, _STEP)
        for at in range(0, len(order), size):
            step = order[at : at + size]
            found = self.reader.passages_at(step)
            rows |= zip(step, found, strict=True)
            for number, told in zip(step, distinct.add([one["text"] for one in found]), strict=True):
                if told == len(alike):
                    alike.append([])
                alike[told].append(number)
            if len(alike) >= k:
                break
        passages: list[Passage] = []
        for text, numbers in zip(distinct.texts[:k], alike, strict=False):
            first = numbers[0]
            row = rows[first]
            others = {self.names.get(rows[number]["source_id"], "?") for number in numbers[1:]}
            name = self.names.get(row["source_id"], "?")
            passages.append(
                Passage(
                    n=len(passages) + 1,
                    chunk_id=row["id"],
                    source_id=row["source_id"],
                    source=name,
                    text=text,
                    score=round(fused[first], 6),
                    page=row["page"],
                    page_end=row["page_end"],
                    start=row["start"],
                    end=row["end"],
                    heading=row["heading"],
                    dense=_rounded(dense.get(first)) if weigh(first) else None,
                    lexical=_rounded(lexical.get(first)),
                    also_in=tuple(sorted(others - {name})),
                )
            )
        return tuple(passages)

    def _weights(self, question: str) -> Callable[[int], float]:
        """What the cosine of each chunk weighs."""
        space = self.questions.space
        if space.provider != "local":
            return lambda _: ENGLISH
        weight = multilingual_weight if space.model == MULTILINGUAL_MODEL else dense_weight
        languages = self.reader.languages()
        spoken = question_language(question, self.reader.spoken())
        weights = {language: weight(spoken, language) for language in self.reader.spoken()}
        return lambda number: weights[languages[number]]

    def _found(
        self, passages: tuple[Passage, ...], started: float, used: Usage | None, canary: int, notes: list[str]
    ) -> Found:
        seconds = round(time.monotonic() - started, 4)
        receipt = Receipt(seconds=seconds)
        if used is not None:
            receipt = Receipt(
                calls=used.calls,
                texts=used.texts - canary,
                tokens=used.tokens,
                cost_usd=used.cost_usd,
                canary_texts=canary,
                seconds=seconds,
            )
        return Found(passages, self.snapshot, VerdictName.HIT, receipt, tuple(notes))


def _fused(dense: Mapping[int, float], lexical: Mapping[int, float], weigh: Callable[[int], float]) -> dict[int, float]:
    """Scores from 0 to 1 of every chunk that either search found."""
    best_cosine = max(max(dense.values(), default=0.0), 1e-6)
    best_words = max(lexical.values(), default=1.0)
    fused = {}
    for number in dense.keys() | lexical.keys():
        weight = weigh(number)
        words = lexical.get(number, 0.0) / best_words
        fused[number] = (1 - weight) * words + weight * max(0.0, dense.get(number, 0.0)) / best_cosine
    return fused


def dense_weight(question: str, chunk: str) -> float:
    """Weight of the embedded English model for a question and a chunk in these languages, empty where unknown."""
    chunk = chunk or ("en" if question not in NOT_LATIN else question)
    question = question or chunk
    if question == chunk:
        return ENGLISH if chunk == "en" else 0.0 if chunk in NOT_LATIN else OTHER
    return ACROSS_SCRIPTS if NOT_LATIN & {question, chunk} else ACROSS


def multilingual_weight(question: str, chunk: str) -> float:
    """As `dense_weight`, of the multilingual local model."""
    question, chunk = question or chunk or "en", chunk or question or "en"
    if not {question, chunk} <= SEVERAL:
        return dense_weight(question, chunk)
    return SEVERAL_SAME if question == chunk else ENGLISH


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(float(score), 6)

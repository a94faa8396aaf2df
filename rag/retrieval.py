"""Searching a snapshot: dense and full-text, fused by reciprocal rank, one passage per text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.citations import Found, Passage
from rag.manifest import Receipt, VerdictName
from rag.relevance import relevant

if TYPE_CHECKING:
    from rag.embedding.embedder import Usage
    from rag.questions import Questions
    from rag.tables import TableReader

FUSION = 60
"""k of reciprocal rank fusion (Cormack et al., SIGIR 2009)."""

POOL = 100
"""Chunks each search contributes."""

LOCAL_DENSE_WEIGHT = 0.5
"""Weight of the dense ranks of the embedded English model against 1 for full text. On XQuAD, 1.0 → 0.5 leaves English
where it is (nDCG@10 0.970) and gives Spanish 0.86 instead of 0.83, because that model knows little of other languages
than English."""

_LONGEST_QUESTION = 2000
_STEP = 32

__all__ = ["FUSION", "LOCAL_DENSE_WEIGHT", "POOL", "Searcher", "relevant"]


@dataclass(frozen=True)
class Searcher:
    """What searching one snapshot needs. `names` maps source ids to display names."""

    reader: TableReader
    questions: Questions
    names: Mapping[str, str]
    snapshot: int

    def search(self, text: str, k: int) -> Found:
        """The `k` best passages, best first.

        Raises:
            SpaceRefused, ModelError: as `Questions.vector`.
        """
        started = time.monotonic()
        # A command line and JSON can hold half of a surrogate pair, which no model takes.
        question = " ".join(text.encode("utf-8", "replace").decode().split())
        notes: list[str] = []
        if len(question) > _LONGEST_QUESTION:
            question = question[:_LONGEST_QUESTION]
            notes.append(f"The question is long: the first {_LONGEST_QUESTION:,} characters were searched for.")
        if not any(char.isalnum() for char in question):
            notes.append("There are no words to search for.")
            return self._found((), started, None, 0, notes)
        before, canary = self.questions.usage(), self.questions.canary_texts
        vector, note = self.questions.vector(question)
        if note:
            notes.append(note)
        dense = [] if vector is None else self.reader.nearest(vector, POOL)
        lexical = self.reader.matching(question, POOL)
        passages = self._passages(dict(dense), dict(lexical), k)
        used = self.questions.usage() - before
        return self._found(passages, started, used, self.questions.canary_texts - canary, notes)

    def _passages(self, dense: Mapping[int, float], lexical: Mapping[int, float], k: int) -> tuple[Passage, ...]:
        weight = LOCAL_DENSE_WEIGHT if self.questions.space.provider == "local" else 1.0
        fused: dict[int, float] = {}
        for share, hits in ((weight, dense), (1.0, lexical)):
            for rank, number in enumerate(hits, start=1):
                fused[number] = fused.get(number, 0.0) + share / (FUSION + rank)
        order = sorted(fused, key=lambda number: (-fused[number], -dense.get(number, -1.0), number))
        unique: dict[str, list[int]] = {}
        rows = {}
        # In steps: a text that stands in many sources must not crowd the others out. Their scores are next to each
        # other, so a step of some size finds them all.
        size = max(2 * k, _STEP)
        for at in range(0, len(order), size):
            step = order[at : at + size]
            for number, row in zip(step, self.reader.rows_at(step), strict=True):
                rows[number] = row
                unique.setdefault(row.text, []).append(number)
            if len(unique) >= k:
                break
        passages: list[Passage] = []
        for numbers in list(unique.values())[:k]:
            row = rows[numbers[0]]
            others = {self.names.get(rows[number].source_id, "?") for number in numbers[1:]}
            name = self.names.get(row.source_id, "?")
            passages.append(
                Passage(
                    n=len(passages) + 1,
                    chunk_id=row.id,
                    source_id=row.source_id,
                    source=name,
                    text=row.text,
                    score=round(fused[numbers[0]], 6),
                    page=row.page,
                    page_end=row.page_end,
                    start=row.start,
                    end=row.end,
                    heading=row.heading,
                    dense=_rounded(dense.get(numbers[0])),
                    lexical=_rounded(lexical.get(numbers[0])),
                    also_in=tuple(sorted(others - {name})),
                )
            )
        return tuple(passages)

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


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(float(score), 6)

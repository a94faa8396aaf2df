"""The rows of one side, summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from rag.evaluation.trial import DECLINED, MEASURES, Row


@dataclass(frozen=True)
class Mean:
    """A mean over `questions` of them; None without any."""

    value: float | None
    questions: int


@dataclass(frozen=True)
class Totals:
    """`means` has every measure; `kinds` and `citations` count answers by kind and citations by state.

    `declined` counts questions that were declined, and `declined_wrongly` those of them that the documents should
    answer. `calls`, `texts`, `tokens` and `cost_usd` (None: a price is not known) are sums, `seconds` the time of all
    questions, `seconds_median` that of one.
    """

    questions: int
    means: Mapping[str, Mean]
    kinds: Mapping[str, int]
    citations: Mapping[str, int]
    declined: int
    declined_wrongly: int
    calls: int
    texts: int
    tokens: int
    cost_usd: float | None
    seconds: float
    seconds_median: float


def total(rows: Sequence[Row]) -> Totals:
    """Sum up rows; of none of them too."""
    means = {}
    for key in MEASURES:
        values = [row.scores[key] for row in rows if key in row.scores]
        means[key] = Mean(fmean(values) if values else None, len(values))
    citations: Counter[str] = Counter()
    for row in rows:
        citations.update(row.citations)
    declined = [row for row in rows if row.kind == DECLINED]
    costs = [row.receipt.cost_usd for row in rows]
    return Totals(
        questions=len(rows),
        means=means,
        kinds=dict(Counter(row.kind for row in rows)),
        citations=dict(citations),
        declined=len(declined),
        declined_wrongly=sum(row.question.answerable is True for row in declined),
        calls=sum(row.receipt.calls for row in rows),
        texts=sum(row.receipt.texts for row in rows),
        tokens=sum(row.receipt.tokens for row in rows),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        seconds=sum(row.receipt.seconds for row in rows),
        seconds_median=median(row.receipt.seconds for row in rows) if rows else 0.0,
    )

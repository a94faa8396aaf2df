"""Two sides over the same questions: by how much each measure differs, and whether that is larger than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from rag.evaluation.chance import holm, paired_p
from rag.evaluation.trial import MEASURES, Row

LEVEL = 0.05
"""What a corrected p value must stay under for a difference to be called larger than chance."""

FEWEST = 6
"""With fewer questions that differ no p value can get under `LEVEL`: the smallest of n is 2 / 2^n."""

SECONDS = "seconds"


@dataclass(frozen=True)
class Difference:
    """One measure on both sides, over the `questions` that have it on both; `differing` of these have two values.

    `p` is of a paired two-sided randomisation test; `corrected` is it after Holm's correction for all measures of the
    comparison, and `larger_than_chance` whether that is under 5 %.
    """

    measure: str
    label: str
    questions: int
    differing: int
    value: float
    other: float
    p: float
    corrected: float = 1.0
    larger_than_chance: bool = False
    sentence: str = ""

    @property
    def change(self) -> float:
        """The value less the other side's."""
        return self.value - self.other


def compare(rows: Sequence[Row], others: Sequence[Row], labels: tuple[str, str], k: int) -> list[Difference]:
    """The differences of two sides, `rows` of `labels[0]` and `others` of `labels[1]`, for the same questions in the
    same order: each measure that both have, and seconds per question."""
    found: list[Difference] = []
    for key, name in {**MEASURES, SECONDS: "Seconds per question"}.items():
        pairs = [
            (mine, other)
            for row, against in zip(rows, others, strict=True)
            if (mine := _value(row, key)) is not None and (other := _value(against, key)) is not None
        ]
        p = paired_p([mine - other for mine, other in pairs])
        if p is not None:
            differing = sum(mine != other for mine, other in pairs)
            means = (fmean(mine for mine, _ in pairs), fmean(other for _, other in pairs))
            found.append(Difference(key, name.format(k=k), len(pairs), differing, *means, p))
    corrected = holm([one.p for one in found])
    return [
        _said(replace(one, corrected=p, larger_than_chance=p < LEVEL), labels, len(found))
        for one, p in zip(found, corrected, strict=True)
    ]


def _value(row: Row, key: str) -> float | None:
    return row.receipt.seconds if key == SECONDS else row.scores.get(key)


def _said(one: Difference, labels: tuple[str, str], several: int) -> Difference:
    if not one.differing:
        return replace(one, sentence=f"{one.label}: the same for every question.")
    digits = 4 if one.measure == SECONDS else 3
    amount = f"{abs(one.change):.{digits}f}"
    if one.measure == SECONDS:
        word = "slower" if one.change > 0 else "faster"
        what = f"{labels[0]} is {word} than {labels[1]} by {amount} s per question"
    else:
        word = "higher" if one.change > 0 else "lower"
        what = f"{labels[0]} is {word} than {labels[1]} by {amount}"
    if float(amount) == 0:
        what = f"the means of {labels[0]} and {labels[1]} are equal"
    odds = f"p = {_p(one.p)}, {_p(one.corrected)} after correcting for {several} measures"
    if one.larger_than_chance:
        verdict = f"That is larger than chance ({odds})."
    elif one.differing < FEWEST:
        questions = "1 question differs" if one.differing == 1 else f"{one.differing} questions differ"
        verdict = f"Only {questions}: too few to tell from chance."
    else:
        verdict = f"That may be chance ({odds})."
    return replace(one, sentence=f"{one.label}: {what}. {verdict}")


def _p(value: float) -> str:
    return "under 0.001" if value < 0.001 else f"{value:.3f}"

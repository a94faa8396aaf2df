"""How good a ranking or an answer is. Pure functions of names and texts; the standard library only.

A ranking lists distinct names of sources, best first. `expected` is never empty. Gains are binary: a source is expected
or it is not. The values are those of trec_eval for the same ranking.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

_MARK = re.compile(r"\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
"""Scripts that put no space between words."""


def ranked(passages: Iterable[Sequence[str]], expected: Collection[str]) -> tuple[str, ...]:
    """The sources of passages, each at its best passage; distinct.

    A passage is given by the names of all sources that hold its text, its own source first. It stands for those of them
    that are expected, so that a text kept twice is not missed for being shown under the other name; else for its own.
    """
    ranking: dict[str, None] = {}
    for names in passages:
        wanted = [name for name in names if name in expected]
        for name in wanted or names[:1]:
            ranking.setdefault(name)
    return tuple(ranking)


def recall_at(ranking: Sequence[str], expected: Collection[str], k: int) -> float:
    """Share of the expected sources among the first `k`; 0 to 1."""
    wanted = set(expected)
    return len(wanted.intersection(ranking[:k])) / len(wanted)


def reciprocal_rank(ranking: Sequence[str], expected: Collection[str]) -> float:
    """1 over the rank of the first expected source, counted from 1; 0 when none is there."""
    return next((1 / rank for rank, name in enumerate(ranking, 1) if name in expected), 0.0)


def ndcg_at(ranking: Sequence[str], expected: Collection[str], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`: a hit at rank r counts 1 / log2(r + 1), and the sum is
    divided by that of the best order there could be; 0 to 1."""
    gain = sum(1 / math.log2(rank + 1) for rank, name in enumerate(ranking[:k], 1) if name in expected)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(set(expected))) + 1))
    return gain / best


def contains(text: str, answers: Iterable[str]) -> bool:
    """Whether any of the accepted answers stands in `text`: whole words, whatever their case, spacing and punctuation.

    Citation marks such as `[2]` are no part of the text. In scripts without spaces between words, any place counts.
    """
    said = _plain(_MARK.sub(" ", text.replace("\u2060", "")))
    for answer in answers:
        wanted = _plain(answer)
        if not wanted:  # signs only, such as `∑`
            found = answer.strip() in text
        elif _UNSPACED.search(wanted):
            found = wanted.replace(" ", "") in said.replace(" ", "")
        else:
            found = f" {wanted} " in f" {said} "
        if found:
            return True
    return False


def _plain(text: str) -> str:
    """Letters, digits and the marks on them, folded; everything else is one space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(
        "".join(char if char.isalnum() or unicodedata.category(char)[0] == "M" else " " for char in folded).split()
    )

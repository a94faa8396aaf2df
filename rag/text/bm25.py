"""BM25, with the parameters that Lance has: k1 1.2, b 0.75 (Robertson and Zaragoza, The Probabilistic Relevance
Framework, 2009)."""

from __future__ import annotations

from math import log

K1, B = 1.2, 0.75


def rarity(rows: int, having: int) -> float:
    """The weight of a term that `having` of `rows` texts have."""
    return log(1 + (rows - having + 0.5) / (having + 0.5))


def saturated(times: int, length: float, average: float) -> float:
    """What a term counts that stands `times` in a text of `length` terms, of `average` ones; below 2.2."""
    return times * (1 + K1) / (times + K1 * (1 - B + B * length / average))

"""In how many chunks each term stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log


@dataclass(frozen=True)
class Frequencies:
    """In how many of `rows` chunks each term stands, and how many terms a chunk has on average. `stands` tells whether
    a term is anywhere in the notebook, of which `rows` may be a part."""

    having: Mapping[str, int]
    rows: int
    length: float
    stands: Callable[[str], bool]

    def weight(self, word: Sequence[str]) -> float:
        """How rare a word is that any of these terms finds. What stands in one chunk or in none weighs no more than
        what stands in two: it may be a typing error."""
        return log(1 + self.rows / (max(2, *(self.having.get(term, 0) for term in word)) + 0.5))

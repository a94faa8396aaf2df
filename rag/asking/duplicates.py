"""Passages that say the same in almost the same words: copies of a text in several sources, with a comma changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from rag.text.words import content_words

ALIKE = 0.8
"""Share of the runs of `RUN` words, of those that either text has, that both must have."""

RUN = 5
_NEAR = 0.5
"""Share of the plain words that texts that are alike have in common at the very least."""
_BITS = 1024  # a power of two


class Likeness:
    """What a text is compared by: its runs of words, and its words with digits."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._plain = _plain(text)

    @cached_property
    def _words(self) -> list[str]:
        return content_words(self._text)

    @cached_property
    def _runs(self) -> frozenset[tuple[str, ...]]:
        words = self._words
        return frozenset(tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1))

    @cached_property
    def _figures(self) -> frozenset[str]:
        return frozenset(word for word in self._words if any(char.isdigit() for char in word))

    def like(self, other: Likeness) -> bool:
        """Whether both say the same. Texts whose numbers differ never do: last year's report is not this year's. A text
        of fewer than `RUN` words is like no other."""
        if _share(self._plain, other._plain) < _NEAR or self._figures != other._figures:
            return False
        return bool(self._runs) and _share(self._runs, other._runs) >= ALIKE


class Distinct:
    """Texts in the order in which they are found, those that say the same as one: told by their first text.

    Whether two are alike is asked of the first `most` only, which are those to be shown; the same text, letter by
    letter, is one anywhere.
    """

    def __init__(self, most: int) -> None:
        self.texts: list[str] = []
        self._most = most
        self._numbers: dict[str, int] = {}
        self._likeness: dict[str, Likeness] = {}
        self._compared = _Signatures.of([])

    def add(self, texts: Sequence[str]) -> list[int]:
        """For each text the number, from 0, of the text in `texts` that tells it; new ones are added there."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._numbers]
        signed = _Signatures.of(fresh)
        everything = self._compared + signed
        before = len(self._compared.counts)
        near: dict[int, list[int]] = {}
        for row, column in zip(*np.nonzero(np.tril(signed.may_share(everything), before - 1)), strict=True):
            near.setdefault(int(row), []).append(int(column))
        compared = {column: column for column in range(before)}  # places among `everything` to numbers of texts
        same: dict[str, int] = {}
        for row, text in enumerate(fresh):
            may = (compared[column] for column in near.get(row, ()) if column in compared)
            like = next((one for one in may if self._of(text).like(self._of(self.texts[one]))), None)
            if like is not None:
                same[text] = like
                continue
            if len(compared) < self._most:
                compared[before + row] = len(self.texts)
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        self._compared = everything[list(compared)]
        return [same[text] if text in same else self._numbers[text] for text in texts]

    def _of(self, text: str) -> Likeness:
        if text not in self._likeness:
            self._likeness[text] = Likeness(text)
        return self._likeness[text]


@dataclass(frozen=True)
class _Signatures:
    """Plain words of n texts as bits (n, 16), so that all are compared with each other at once. `counts` are their
    words, `hidden` those that fall on the bit of another."""

    counts: NDArray[np.int64]
    hidden: NDArray[np.int64]
    bits: NDArray[np.uint64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Signatures:
        words = [_plain(text) for text in texts]
        counts = np.array([len(one) for one in words], dtype=np.int64)
        places = np.fromiter(map(hash, chain.from_iterable(words)), dtype=np.int64, count=int(counts.sum()))
        bits = np.zeros((len(texts), _BITS), dtype=np.bool_)
        bits[np.repeat(np.arange(len(texts)), counts), places & (_BITS - 1)] = True
        packed = np.packbits(bits, axis=1).view(np.uint64)
        return cls(counts, counts - np.bitwise_count(packed).sum(axis=1, dtype=np.int64), packed)

    def __add__(self, others: _Signatures) -> _Signatures:
        return _Signatures(
            np.concatenate([self.counts, others.counts]),
            np.concatenate([self.hidden, others.hidden]),
            np.concatenate([self.bits, others.bits]),
        )

    def __getitem__(self, rows: Sequence[int]) -> _Signatures:
        return _Signatures(self.counts[rows], self.hidden[rows], self.bits[rows])

    def may_share(self, others: _Signatures) -> NDArray[np.bool_]:
        """(n, m): false only where a text has less than `_NEAR` of its words in common with that other."""
        # einsum adds them up in half the time of sum.
        both = np.einsum("ijk->ij", np.bitwise_count(self.bits[:, None] & others.bits), dtype=np.int64)
        both += np.minimum(self.hidden[:, None], others.hidden)
        either = self.counts[:, None] + others.counts - both
        may: NDArray[np.bool_] = both >= _NEAR * either
        return may


def _plain(text: str) -> frozenset[str]:
    words = text.casefold().split()
    # Scripts without spaces: their characters instead.
    return frozenset(words if len(words) * 12 > len(text) else text)


def _share(one: frozenset[object], other: frozenset[object]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both or 1)

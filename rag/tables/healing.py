"""A vector cache that heals itself: for who writes into it, so that damage costs a payment and never a build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock

from rag.errors import Damaged, OtherDimensions
from rag.storage.failures import translated
from rag.tables.vectors import VectorCache, Vectors

T = TypeVar("T")
_AT_ONCE = 4096
_SMALL = 64
"""Rows among which it is worth trying each one; of more, both ends tell."""


class HealingCache(VectorCache):
    """Where the table turns out to be damaged, it is set aside as `damaged-<n>.lance`, and what can be read of it goes
    into a new one. `repaired` then says so. What the system refuses (no permission, a full disk) is no damage, and is
    raised."""

    def __init__(self, folder: Path, dimensions: int) -> None:
        self.repaired: str | None = None
        try:
            super().__init__(folder, dimensions)
        except OtherDimensions:
            raise
        except Damaged:
            self._heal(folder, dimensions)

    def find(self, keys: Sequence[bytes]) -> Vectors:
        """As `VectorCache.find`, after a repair where that is needed."""
        return self._healing(lambda: VectorCache.find(self, keys))

    def having(self, keys: Iterable[bytes]) -> set[bytes]:
        """As `VectorCache.having`, after a repair where that is needed."""
        wanted = list(keys)
        return self._healing(lambda: VectorCache.having(self, wanted))

    def _healing(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except Damaged:
            self._heal(self.folder, self.dimensions)
            return read()

    def _heal(self, folder: Path, dimensions: int) -> None:
        with FileLock(folder / ".repair.lock", thread_local=False):
            try:  # another process may have been faster
                VectorCache.__init__(self, folder, dimensions)
                for _ in self.scan_checked():
                    pass
            except Damaged:
                saved = _readable(folder, dimensions)
            else:
                return
            aside = next(path for n in range(1, 10_000) if not (path := folder / f"damaged-{n}.lance").exists())
            with translated(self.name):
                self.path.rename(aside)
            VectorCache.__init__(self, folder, dimensions)
            if saved:
                self.add(list(saved), np.stack(list(saved.values())))
        self.repaired = (
            f"{self.name} was damaged: {len(saved):,} of its vectors could be read and were kept; others are paid "
            f"for again. The damaged table is {aside.name}."
        )


def _readable(folder: Path, dimensions: int) -> Vectors:
    """What of a damaged table can be read and passes its check; nothing of one that does not open."""
    saved: Vectors = {}
    try:
        cache = VectorCache(folder, dimensions, looking=True)
        _salvage(cache, 0, len(cache), saved)
    except Damaged:
        return saved
    return saved


def _salvage(cache: VectorCache, start: int, end: int, saved: Vectors) -> None:
    if start >= end:
        return
    if end - start <= _AT_ONCE:
        if _tried(cache, range(start, end), saved):
            return
        # Of a file torn by a power cut no row can be read, of its neighbours all: what is between two rows of it need
        # not be tried.
        ends = (_tried(cache, [at], saved) for at in (start, end - 1))
        if end - start == 1 or (end - start <= _SMALL and not any(list(ends))):
            return
    middle = (start + end) // 2
    _salvage(cache, start, middle, saved)
    _salvage(cache, middle, end, saved)


def _tried(cache: VectorCache, places: Sequence[int], saved: Vectors) -> bool:
    """Whether rows can be read; if so, what passes its check is in `saved`."""
    try:
        saved |= cache.intact_at(places)
    except Damaged:
        return False
    return True

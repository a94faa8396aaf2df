"""Exact cosine search over one resident matrix; numpy only.

The matrix product picks candidates; their scores are then computed again, row by row, in float64. BLAS adds the
products of a row in an order that depends on where the row lies (measured: differences of 1e-8), so its own scores
would change when an unrelated row is added or removed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag.errors import Damaged, VectorInvalid

# float32 products of normalised vectors differ from the true ones by less than this, up to several thousand dimensions.
_BLUR = 1e-5
_AT_ONCE = 4096  # rows scored again at a time; more only when thousands of rows tie
_CHANGED = "A vector of the table is not finite or not normalised: the table's bytes have changed."
_GATHER = 8  # below one row in eight it is cheaper to copy the allowed rows together than to score them all


class ExactIndex:
    """Rows of a float32 matrix (n, d), each L2-normalised, searched by cosine.

    Immutable and safe to share between threads.
    """

    __slots__ = ("matrix",)

    def __init__(self, matrix: NDArray[np.float32]) -> None:
        if matrix.ndim != 2 or matrix.dtype != np.float32 or not matrix.flags.c_contiguous:
            raise ValueError("an exact index needs a contiguous float32 matrix of shape (rows, dimensions)")
        self.matrix = matrix

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def dimensions(self) -> int:
        """Length of one vector."""
        return int(self.matrix.shape[1])

    def top(
        self,
        query: Sequence[float] | NDArray[np.floating],
        k: int,
        rows: NDArray[np.bool_] | NDArray[np.integer] | None = None,
    ) -> list[tuple[int, float]]:
        """The `k` rows nearest to `query`, nearest first, with their cosine (-1 to 1); equal ones by row number.

        Args:
            query: d numbers, of any length but zero; normalised here.
            k: how many; fewer come back where there are fewer rows.
            rows: which rows may be found: a mask (n,) or row numbers; all by default.

        Raises:
            VectorInvalid: the query has another dimension, is zero or not finite.
            Damaged: a row cannot be a normalised vector, so the table's bytes have changed.
        """
        exact_query = self._unit(query)
        allowed = None if rows is None else _row_numbers(rows, len(self))
        count = len(self) if allowed is None else len(allowed)
        k = min(k, count)
        if k <= 0:
            return []
        near = exact_query.astype(np.float32)
        # vecdot and not `@`: OpenBLAS would wake all cores for it, whose threads then spin for some 30 ms (measured at
        # 100,000 × 384 on 2 cores: 6 ms of CPU against 47, and no slower by the clock).
        if allowed is None:
            scores = np.vecdot(self.matrix, near)
        elif count * _GATHER < len(self):
            scores = np.vecdot(self.matrix[allowed], near)
        else:
            scores = np.vecdot(self.matrix, near)[allowed]
        # max() is NaN when any score is, which the comparison then refuses.
        if not scores.max() <= 1.01:
            raise Damaged(_CHANGED)
        last = scores.min() if k == count else np.partition(scores, count - k)[count - k]
        candidates = np.flatnonzero(scores >= last - _BLUR)
        if allowed is not None:
            candidates = allowed[candidates]
        exact = self._scores(candidates, exact_query)
        order = np.lexsort((candidates, -exact))[:k]
        return [(int(candidates[i]), float(exact[i])) for i in order]

    def cosines(self, query: Sequence[float] | NDArray[np.floating], rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """Cosine of `query` with each of `rows`, in their order: what `top` gives for them.

        Raises:
            VectorInvalid, Damaged: as `top`.
        """
        scores = self._scores(rows, self._unit(query))
        if len(scores) and not scores.max() <= 1.01:
            raise Damaged(_CHANGED)
        return scores

    def _unit(self, query: Sequence[float] | NDArray[np.floating]) -> NDArray[np.float64]:
        vector = np.asarray(query, dtype=np.float64)
        if vector.shape != (self.dimensions,):
            raise VectorInvalid(
                f"The question's vector has shape {vector.shape}, the index has {self.dimensions} dimensions: "
                "it comes from another model."
            )
        norm = float(np.linalg.norm(vector))
        if not np.isfinite(norm) or norm == 0.0:
            raise VectorInvalid("The question's vector is zero or not finite.")
        return vector / norm

    def _scores(self, rows: NDArray[np.integer], query: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cosine of each of `rows` with `query`, each from its own row alone, whatever the others are."""
        scores = np.empty(len(rows), dtype=np.float64)
        for start in range(0, len(rows), _AT_ONCE):
            part = self.matrix[rows[start : start + _AT_ONCE]].astype(np.float64)
            part *= query
            scores[start : start + _AT_ONCE] = part.sum(axis=1)
        return scores


def _row_numbers(rows: NDArray[np.bool_] | NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Row numbers in rising order, each once."""
    if rows.dtype == np.bool_:
        if rows.shape != (count,):
            raise ValueError(f"a mask needs one entry per row: {rows.shape} for {count} rows")
        return np.flatnonzero(rows)
    return np.unique(rows.astype(np.int64))

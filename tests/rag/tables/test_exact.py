from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rag.errors import Damaged, VectorInvalid
from rag.tables.exact import ExactIndex


def normalised(rows: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    matrix = np.random.default_rng(seed).standard_normal((rows, width))
    lengths: NDArray[np.float64] = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / lengths, dtype=np.float32)


@settings(max_examples=60)
@given(rows=st.integers(1, 300), width=st.integers(1, 48), k=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_finds_what_sorting_all_rows_finds(rows: int, width: int, k: int, seed: int) -> None:
    matrix = normalised(rows, width, seed)
    query = np.random.default_rng(seed + 1).standard_normal(width)
    exact = matrix.astype(np.float64) @ (query / np.linalg.norm(query))
    found = ExactIndex(matrix).top(query, k)
    assert len(found) == min(k, rows)
    best = np.sort(exact)[::-1][: len(found)]
    assert np.allclose([score for _, score in found], best, atol=1e-9)
    assert all(abs(exact[row] - score) < 1e-9 for row, score in found)


def test_equal_scores_come_in_row_order() -> None:
    matrix = np.ascontiguousarray(np.tile(normalised(1, 16), (9000, 1)))
    assert [row for row, _ in ExactIndex(matrix).top(matrix[0], 5)] == [0, 1, 2, 3, 4]
    mixed = np.ascontiguousarray(np.concatenate([normalised(50, 16, 3), matrix[:30], normalised(50, 16, 4)]))
    assert [row for row, _ in ExactIndex(mixed).top(matrix[0], 30)] == list(range(50, 80))


@pytest.mark.parametrize("rows", [5, 7, 1003])
def test_a_score_depends_on_its_own_row_only(rows: int) -> None:
    matrix = normalised(rows, 384)
    query = normalised(1, 384, 9)[0]
    alone = {row: ExactIndex(matrix[row : row + 1].copy()).top(query, 1)[0][1] for row in range(rows)}
    assert dict(ExactIndex(matrix).top(query, rows)) == alone
    order = np.random.default_rng(1).permutation(rows)
    shuffled = dict(ExactIndex(np.ascontiguousarray(matrix[order])).top(query, rows))
    assert {int(order[row]): score for row, score in shuffled.items()} == alone


@pytest.mark.parametrize("allowed", [3, 200, 900])
def test_masks_and_row_numbers_restrict_alike(allowed: int) -> None:
    matrix = normalised(1000, 32)
    index = ExactIndex(matrix)
    chosen = np.sort(np.random.default_rng(5).choice(1000, allowed, replace=False))
    mask = np.zeros(1000, dtype=bool)
    mask[chosen] = True
    everything = index.top(matrix[1], 1000)
    expected = [(row, score) for row, score in everything if mask[row]][:10]
    assert index.top(matrix[1], 10, chosen) == expected
    assert index.top(matrix[1], 10, mask) == expected
    assert index.top(matrix[1], 10, np.concatenate([chosen, chosen])[::-1]) == expected


def test_nothing_to_find_is_an_empty_list() -> None:
    index = ExactIndex(normalised(4, 3))
    assert index.top([1, 0, 0], 0) == []
    assert index.top([1, 0, 0], 3, np.array([], dtype=np.int64)) == []
    assert index.top([1, 0, 0], 3, np.zeros(4, dtype=bool)) == []
    assert ExactIndex(np.empty((0, 3), dtype=np.float32)).top([1, 0, 0], 3) == []


def test_the_length_of_the_query_does_not_matter() -> None:
    index = ExactIndex(normalised(40, 8))
    query = np.arange(1.0, 9.0)
    small, large = index.top(query * 1e-6, 5), index.top(query * 1e6, 5)
    assert [row for row, _ in small] == [row for row, _ in large]
    assert np.allclose([score for _, score in small], [score for _, score in large], atol=1e-12)


@pytest.mark.parametrize(
    "query", [[1.0, 0.0], [0.0, 0.0, 0.0], [float("nan"), 0.0, 1.0], [float("inf"), 0.0, 0.0], [[1.0, 0.0, 0.0]]]
)
def test_an_impossible_query_is_refused(query: list[float]) -> None:
    with pytest.raises(VectorInvalid):
        ExactIndex(normalised(4, 3)).top(query, 1)


@pytest.mark.parametrize("poison", [np.nan, np.inf, 3e38])
def test_a_row_that_cannot_be_is_damage_and_not_a_score(poison: float) -> None:
    matrix = normalised(100, 8)
    matrix[17, 3] = poison
    with pytest.raises(Damaged, match="bytes have changed"):
        ExactIndex(matrix).top(np.ones(8), 3)
    with pytest.raises(Damaged, match="bytes have changed"):
        ExactIndex(matrix).cosines(np.ones(8), np.array([3, 17]))


@pytest.mark.parametrize(
    "matrix", [np.zeros((2, 2)), np.zeros(4, dtype=np.float32), np.zeros((4, 4), dtype=np.float32).T[::2]]
)
def test_only_a_contiguous_float32_matrix_is_taken(matrix: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="contiguous float32"):
        ExactIndex(matrix)
    with pytest.raises(ValueError, match="one entry per row"):
        ExactIndex(normalised(4, 3)).top([1, 0, 0], 1, np.ones(3, dtype=bool))


class Counted(np.ndarray):
    """A matrix that counts its rows that go into arithmetic, those of its copies too."""

    rows: ClassVar[list[int]] = []

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        Counted.rows += [len(one) for one in inputs if isinstance(one, Counted) and one.ndim == 2]
        if "out" in named:
            named["out"] = tuple(np.asarray(one) for one in named["out"])
        return getattr(ufunc, method)(*(np.asarray(one) for one in inputs), **named)


def test_the_matrix_is_gone_through_once() -> None:
    """What that costs beside bare numpy is in the bench."""
    matrix = normalised(20_000, 384).view(Counted)
    query = np.array(matrix[77])
    Counted.rows.clear()
    assert ExactIndex(matrix).top(query, 5)[0][0] == 77
    first, *others = Counted.rows
    assert first == 20_000
    assert 0 < sum(others) < 100

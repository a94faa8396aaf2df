"""Vector caches for tests: a key and a vector for every number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.tables.vectors import VectorCache

WIDTH = 8


def keys(*numbers: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in numbers]


def vectors(numbers: Sequence[int], width: int = WIDTH) -> npt.NDArray[np.float32]:
    """The vector of a number is always the same."""
    rows = [np.random.default_rng(number).standard_normal(width) for number in numbers]
    return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32).reshape(-1, width)


def fill(folder: Path, count: int = 20) -> VectorCache:
    """A cache of the vectors of the first numbers."""
    cache = VectorCache(folder, WIDTH)
    cache.add(keys(*range(count)), vectors(range(count)))
    return cache


def data_files(folder: Path) -> list[Path]:
    return sorted((folder / "vectors.lance" / "data").iterdir())


def assert_right(found: dict[bytes, npt.NDArray[np.float32]]) -> None:
    for key, vector in found.items():
        assert np.array_equal(vector, vectors([int.from_bytes(key, "big")])[0])

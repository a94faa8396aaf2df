"""Vectors that were paid for: those of a snapshot go along, checked on both ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from rag.errors import Damaged
from rag.moving.paid import read_paid, write_paid
from rag.tables.vectors import VectorCache

WIDTH = 8


def unit(count: int, seed: int = 0) -> npt.NDArray[np.float32]:
    matrix = np.random.default_rng(seed).standard_normal((count, WIDTH))
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), dtype=np.float32)


def keys(count: int, seed: int = 0) -> list[bytes]:
    return [hashlib.sha256(f"{seed}-{number}".encode()).digest() for number in range(count)]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of twenty vectors."""
    VectorCache(tmp_path / "space", WIDTH).add(keys(20), unit(20))
    return tmp_path / "space"


def read(file: Path) -> dict[bytes, npt.NDArray[np.float32]]:
    return {key: row for names, rows in read_paid(file, WIDTH) for key, row in zip(names, rows, strict=True)}


def test_wanted_vectors_come_back_under_their_keys(cache: Path, tmp_path: Path) -> None:
    assert write_paid(cache, unit(20)[5:8], tmp_path / "out") == 3
    assert (tmp_path / "out").stat().st_size == 3 * (32 + 4 * WIDTH)
    found = read(tmp_path / "out")
    assert set(found) == set(keys(20)[5:8])
    assert all(np.array_equal(found[key], row) for key, row in zip(keys(20)[5:8], unit(20)[5:8], strict=True))


def test_two_texts_of_one_vector_have_a_key_each(cache: Path, tmp_path: Path) -> None:
    VectorCache(cache, WIDTH).add(keys(2, 7), np.repeat(unit(20)[:1], 2, axis=0))
    assert write_paid(cache, unit(20)[:1], tmp_path / "out") == 3
    assert set(read(tmp_path / "out")) == {keys(20)[0], *keys(2, 7)}


def test_vectors_that_were_never_paid_for_here_are_no_loss(cache: Path, tmp_path: Path) -> None:
    assert write_paid(cache, unit(5, 99), tmp_path / "out") == 0
    assert read(tmp_path / "out") == {}


def test_a_torn_newest_version_costs_what_it_added_alone(cache: Path, tmp_path: Path) -> None:
    VectorCache(cache, WIDTH).add(keys(5, 7), unit(5, 7))
    newest = min((cache / "vectors.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(newest.read_bytes()[:40])
    assert write_paid(cache, np.concatenate([unit(20), unit(5, 7)]), tmp_path / "out") == 20
    assert set(read(tmp_path / "out")) == set(keys(20))


def test_what_was_read_before_a_damaged_file_is_carried(cache: Path, tmp_path: Path) -> None:
    VectorCache(cache, WIDTH).add(keys(5, 7), unit(5, 7))
    second = max((cache / "vectors.lance" / "data").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    second.write_bytes(second.read_bytes()[:-40])
    count = write_paid(cache, np.concatenate([unit(20), unit(5, 7)]), tmp_path / "out")
    assert count == len(read(tmp_path / "out"))
    assert set(read(tmp_path / "out")) <= set(keys(20))


def test_without_a_cache_there_is_nothing_and_nothing_is_made(tmp_path: Path) -> None:
    assert write_paid(tmp_path / "none", unit(3), tmp_path / "out") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_cache_of_other_vectors_cannot_be_read(cache: Path, tmp_path: Path) -> None:
    wide = np.pad(unit(3), ((0, 0), (0, WIDTH)))
    assert write_paid(cache, wide, tmp_path / "out") == 0


def test_more_than_are_read_at_once(tmp_path: Path) -> None:
    many = 4096 + 10
    VectorCache(tmp_path / "space", WIDTH).add(keys(many), unit(many))
    assert write_paid(tmp_path / "space", unit(many), tmp_path / "out") == many
    parts = list(read_paid(tmp_path / "out", WIDTH))
    assert [len(names) for names, _ in parts] == [4096, 10]
    assert len(read(tmp_path / "out")) == many


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([float("nan")] * WIDTH, "not finite or not of length 1"),
        ([0.0] * WIDTH, "not finite or not of length 1"),
        ([1.0] * WIDTH, "not finite or not of length 1"),
        ([1.0], "its last vector is cut off"),
    ],
)
def test_rows_that_are_no_vectors_are_damage(tmp_path: Path, row: list[float], said: str) -> None:
    good = keys(1)[0] + unit(1).tobytes()
    (tmp_path / "vectors.bin").write_bytes(good + keys(1)[0] + np.array(row, dtype="<f4").tobytes())
    with pytest.raises(Damaged, match=f"vectors.bin of the archive is damaged: .*{said}"):
        read(tmp_path / "vectors.bin")

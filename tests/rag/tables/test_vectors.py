from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rag.errors import Damaged, NotFound, VectorInvalid
from rag.tables.vectors import VectorCache
from tests.caches import WIDTH, assert_right, data_files, fill, keys, vectors
from tests.waiting import CEILING

SPAWN = multiprocessing.get_context("spawn")


def test_what_was_added_is_found_bit_by_bit(tmp_path: Path) -> None:
    cache = fill(tmp_path)
    assert len(cache) == 20
    for reader in (cache, VectorCache(tmp_path, WIDTH)):
        found = reader.find(keys(3, 19, 3, 99))
        assert set(found) == set(keys(3, 19))
        assert_right(found)
        assert reader.having(keys(0, 99)) == set(keys(0))


def test_nothing_asked_is_nothing_found(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, WIDTH)
    assert cache.find([]) == {}
    assert cache.find(keys(1)) == {}
    assert cache.having([]) == set()
    cache.add([], np.zeros((0, WIDTH), np.float32))
    assert len(cache) == 0


def test_many_are_found_in_any_order(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, WIDTH)
    for start in range(0, 9000, 3000):
        cache.add(keys(*range(start, start + 3000)), vectors(range(start, start + 3000)))
    wanted = keys(*range(8999, -1, -1))
    found = cache.find(wanted)
    assert len(found) == 9000
    assert_right(dict(list(found.items())[::500]))


def test_few_and_many_are_looked_up_differently_and_found_alike(tmp_path: Path) -> None:
    fill(tmp_path, 600)
    wanted = [*keys(*range(0, 600, 3)), *keys(9999)]
    by_scan = VectorCache(tmp_path, WIDTH)
    assert len(wanted) < 256
    in_memory = VectorCache(tmp_path, WIDTH)
    assert len(in_memory.find(keys(*range(600)))) == 600
    assert by_scan.having(wanted) == in_memory.having(wanted) == set(wanted[:-1])
    found, again = by_scan.find(wanted), in_memory.find(wanted)
    assert set(found) == set(again) == set(wanted[:-1])
    assert_right(found)
    assert_right(again)
    in_memory.add(keys(9999), vectors([9999]))
    assert by_scan.having(wanted) == in_memory.having(wanted) == set(wanted)


def test_a_key_twice_is_one_vector(tmp_path: Path) -> None:
    cache = fill(tmp_path)
    cache.add(keys(3), vectors([3]))
    assert len(cache) == 21
    assert_right(cache.find(keys(3)))


@pytest.mark.parametrize(
    "wrong",
    [
        vectors([1, 2]),
        vectors([1], WIDTH + 1),
        np.full((1, WIDTH), np.nan, np.float32),
        np.full((1, WIDTH), np.inf, np.float32),
        np.zeros((1, WIDTH), np.float32),
        np.ones((1, WIDTH), np.float32),
        vectors([1])[0],
    ],
    ids=["count", "width", "nan", "inf", "zero", "length", "shape"],
)
def test_what_is_no_unit_vector_is_refused(wrong: npt.NDArray[np.float32], tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, WIDTH)
    with pytest.raises(VectorInvalid):
        cache.add(keys(1), wrong)
    assert len(cache) == 0


def test_another_dimension_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(Damaged, match="not vectors of 16 dimensions"):
        VectorCache(tmp_path, 16)
    assert len(VectorCache(tmp_path, WIDTH)) == 20


def append(folder: Path, start: Any, who: int, pipe: Connection) -> None:
    start.wait(CEILING)
    cache = VectorCache(folder, WIDTH)
    for batch in range(4):
        numbers = [1000 * who + batch * 10 + n for n in range(10)]
        cache.add(keys(*numbers, 5), vectors([*numbers, 5]))
        found = cache.find(keys(*numbers))
        assert len(found) == 10
    pipe.send("done")


def test_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    start = SPAWN.Barrier(2)
    pipes = [SPAWN.Pipe() for _ in range(2)]
    children = [SPAWN.Process(target=append, args=(tmp_path, start, n + 1, pipes[n][1])) for n in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(CEILING)
    assert [child.exitcode for child in children] == [0, 0]
    wanted = [1000 * who + n for who in (1, 2) for n in range(40)]
    cache = VectorCache(tmp_path, WIDTH)
    found = cache.find(keys(*wanted, 5))
    assert len(found) == 81
    assert_right(found)
    assert len(cache) == 80 + 8
    assert not list(tmp_path.glob("damaged-*"))


def test_many_small_appends_are_joined_and_nothing_is_lost(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, WIDTH)
    other = VectorCache(tmp_path, WIDTH)
    for number in range(70):
        cache.add(keys(number), vectors([number]))
    other.having(keys(1))
    cache.compact()
    for reader in (cache, other, VectorCache(tmp_path, WIDTH)):
        found = reader.find(keys(*range(70)))
        assert len(found) == 70
        assert_right(found)
    other.compact()
    cache.add(keys(99), vectors([99]))
    assert len(other.find(keys(99, 1))) == 2


# ---------------------------------------------------------------------- damage


def test_a_damaged_vector_counts_as_absent(tmp_path: Path) -> None:
    fill(tmp_path)
    (path,) = data_files(tmp_path)
    content = path.read_bytes()
    at = content.index(vectors([7])[0].tobytes())
    path.write_bytes(content[: at + 2] + bytes([content[at + 2] ^ 1]) + content[at + 3 :])
    cache = VectorCache(tmp_path, WIDTH)
    assert set(cache.find(keys(*range(20)))) == set(keys(*range(20))) - set(keys(7))
    checked = {key: good for some, _, passed in cache.scan_checked() for key, good in zip(some, passed, strict=True)}
    assert [key for key, good in checked.items() if not good] == keys(7)
    assert cache.having(keys(7)) == set(keys(7))


@pytest.mark.parametrize("damage", ["data missing", "data empty", "manifests empty", "manifests missing", "a file"])
def test_a_damaged_table_is_told_and_left_as_it_is(damage: str, tmp_path: Path) -> None:
    if damage == "a file":
        (tmp_path / "vectors.lance").write_bytes(b"not a table")
    else:
        fill(tmp_path)
        part = "data" if damage.startswith("data") else "_versions"
        for path in (tmp_path / "vectors.lance" / part).iterdir():
            path.unlink() if damage.endswith("missing") else path.write_bytes(b"")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if ".lock" not in path.name)
    with pytest.raises(Damaged):
        VectorCache(tmp_path, WIDTH, looking=True).find(keys(1))
    assert before == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if ".lock" not in path.name)
    with pytest.raises(Damaged):
        VectorCache(tmp_path, WIDTH).find(keys(1))


def test_looking_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        VectorCache(tmp_path / "space", WIDTH, looking=True)
    assert list(tmp_path.iterdir()) == []

from __future__ import annotations

import multiprocessing
import resource
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from rag.errors import DiskFull
from rag.tables.healing import HealingCache
from tests.caches import WIDTH, assert_right, data_files, fill, keys, vectors
from tests.waiting import CEILING

SPAWN = multiprocessing.get_context("spawn")


def test_no_flipped_byte_gives_a_wrong_vector(tmp_path: Path) -> None:
    fill(tmp_path)
    (path,) = data_files(tmp_path)
    whole = path.read_bytes()
    hits = 0
    for position in range(0, len(whole), 23):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        cache = HealingCache(tmp_path, WIDTH)
        found = cache.find(keys(*range(20)))
        assert_right(found)
        if cache.repaired:
            for aside in tmp_path.glob("damaged-*.lance"):
                assert cache.repaired.endswith(f"{aside.name}.")
                (tmp_path / "vectors.lance").rename(tmp_path / f"done-{position}")
                aside.rename(tmp_path / "vectors.lance")
        hits += len(found) == 20
    path.write_bytes(whole)
    assert len(HealingCache(tmp_path, WIDTH).find(keys(*range(20)))) == 20
    assert hits < 100


def test_a_damaged_vector_is_paid_for_once_more_and_then_found(tmp_path: Path) -> None:
    fill(tmp_path)
    (path,) = data_files(tmp_path)
    content = path.read_bytes()
    at = content.index(vectors([7])[0].tobytes())
    path.write_bytes(content[: at + 2] + bytes([content[at + 2] ^ 1]) + content[at + 3 :])
    cache = HealingCache(tmp_path, WIDTH)
    assert set(cache.find(keys(*range(20)))) == set(keys(*range(20))) - set(keys(7))
    assert cache.repaired is None
    cache.add(keys(7), vectors([7]))
    for reader in (cache, HealingCache(tmp_path, WIDTH)):
        found = reader.find(keys(*range(20)))
        assert len(found) == 20
        assert_right(found)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated"])
def test_what_a_damaged_table_still_holds_is_kept(damage: str, tmp_path: Path) -> None:
    fill(tmp_path).add(keys(*range(20, 300)), vectors(range(20, 300)))
    small, large = sorted(data_files(tmp_path), key=lambda path: path.stat().st_size)
    if damage == "missing":
        small.unlink()
    else:
        small.write_bytes(b"" if damage == "empty" else small.read_bytes()[:-40])
    cache = HealingCache(tmp_path, WIDTH)
    found = cache.find(keys(*range(300)))
    assert_right(found)
    assert len(found) >= 280 - 64
    assert cache.repaired is not None
    assert "damaged-1.lance" in cache.repaired
    assert (tmp_path / "damaged-1.lance" / "data" / large.name).exists()
    again = [number for number in range(300) if keys(number)[0] not in found]
    cache.add(keys(*again), vectors(again))
    reader = HealingCache(tmp_path, WIDTH)
    assert len(reader.find(keys(*range(300)))) == 300
    assert reader.repaired is None


@pytest.mark.parametrize("damage", ["manifests missing", "manifests empty", "a file"])
def test_a_table_that_does_not_open_is_set_aside(damage: str, tmp_path: Path) -> None:
    if damage == "a file":
        (tmp_path / "vectors.lance").write_bytes(b"not a table")
    else:
        fill(tmp_path)
        for path in (tmp_path / "vectors.lance" / "_versions").iterdir():
            path.unlink() if damage == "manifests missing" else path.write_bytes(b"")
    cache = HealingCache(tmp_path, WIDTH)
    assert cache.find(keys(1)) == {}
    assert cache.repaired is not None
    cache.add(keys(1), vectors([1]))
    assert_right(HealingCache(tmp_path, WIDTH).find(keys(1)))
    assert (tmp_path / "damaged-1.lance").exists()


def test_a_reader_sees_that_another_repaired(tmp_path: Path) -> None:
    first = fill(tmp_path)
    second = HealingCache(tmp_path, WIDTH)
    for path in data_files(tmp_path):
        path.write_bytes(b"")
    assert second.find(keys(1)) == {}
    second.add(keys(1), vectors([1]))
    assert_right(found := first.find(keys(1)))
    assert set(found) == set(keys(1))
    assert len(list(tmp_path.glob("damaged-*.lance"))) == 1


# ---------------------------------------------------------------------- several processes


def add_on_a_full_disk(folder: Path, pipe: Connection) -> None:
    cache = HealingCache(folder, 384)
    cache.add(keys(1), vectors([1], 384))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        cache.add(keys(*range(500)), vectors(range(500), 384))
    except DiskFull as error:
        pipe.send(str(error))
    else:
        pipe.send(None)


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    ours, theirs = SPAWN.Pipe()
    child = SPAWN.Process(target=add_on_a_full_disk, args=(tmp_path, theirs))
    child.start()
    theirs.close()
    assert ours.poll(CEILING)
    sentence = ours.recv()
    child.join(CEILING)
    assert sentence is not None
    assert sentence.startswith("No space left while writing spaces/")
    cache = HealingCache(tmp_path, 384)
    assert cache.repaired is None
    assert list(cache.find(keys(1, 2))) == keys(1)


READ = """
import sys
from pathlib import Path
from tests.privileges import permissions_count
with permissions_count():  # before Lance is imported, which starts threads of its own
    from rag.errors import NotWritable
    from rag.tables.healing import HealingCache
    try:
        HealingCache(Path(sys.argv[1]), 8).find([bytes(31) + b"\\1"])
    except NotWritable as error:
        print(error)
"""


def test_no_permission_is_no_damage(tmp_path: Path) -> None:
    fill(tmp_path)
    (path,) = data_files(tmp_path)
    path.chmod(0)
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", READ, tmp_path], cwd=root, capture_output=True, text=True, timeout=CEILING
    )
    path.chmod(0o644)
    assert "No permission" in ran.stdout, ran.stderr
    assert not list(tmp_path.glob("damaged-*"))
    assert len(HealingCache(tmp_path, WIDTH).find(keys(1))) == 1

from __future__ import annotations

import contextlib
import multiprocessing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from rag.checked import FORMAT, dump_checked
from rag.errors import Conflict, Damaged, NewerFormat, NotFound
from rag.home.snapshots import Snapshots
from rag.manifest import Counts, Manifest, Receipt, VerdictName
from rag.storage.objects import LocalObjects
from rag.storage.stamp import now, writer_name
from tests.waiting import CEILING

SPAWN = multiprocessing.get_context("spawn")


def manifest(number: int, **fields: Any) -> Manifest:
    made = Manifest(
        snapshot=number,
        parent=number - 1 or None,
        created=now(),
        writer=writer_name(),
        epoch=0,
        verdict=VerdictName.BUILT,
        recipe={"format": FORMAT},
        recipe_fp="r",
        space_fp="s",
        sources_fp="f",
        counts=Counts(1, 0, 1),
        tables={},
        receipt=Receipt(),
    )
    return replace(made, **fields)


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(LocalObjects(tmp_path), "n")


def file(tmp_path: Path, number: int) -> Path:
    return tmp_path / "notebooks" / "n" / "manifests" / f"{number:08d}.json"


def test_before_the_first_there_is_none(snapshots: Snapshots, tmp_path: Path) -> None:
    assert snapshots.head() is None
    assert snapshots.numbers() == []
    assert snapshots.next_number() == 1
    with pytest.raises(NotFound, match="no snapshot 1"):
        snapshots.get(1)
    assert list(tmp_path.iterdir()) == []


def test_history_is_newest_first(snapshots: Snapshots) -> None:
    published = [manifest(number) for number in (1, 2, 3)]
    for one in published:
        snapshots.publish(one)
    assert list(snapshots.newest()) == published[::-1]
    assert snapshots.head() == published[2]
    assert snapshots.get(2) == published[1]
    assert snapshots.numbers() == [1, 2, 3]


def test_history_below_a_number(snapshots: Snapshots) -> None:
    for number in (1, 2, 3):
        snapshots.publish(manifest(number))
    assert [found.snapshot for found in snapshots.newest(below=3) if isinstance(found, Manifest)] == [2, 1]
    assert list(snapshots.newest(below=1)) == []


def test_a_number_is_published_once(snapshots: Snapshots) -> None:
    snapshots.publish(manifest(1, writer="first"))
    with pytest.raises(Conflict, match="Snapshot 1 was published by another writer"):
        snapshots.publish(manifest(1, writer="second"))
    assert snapshots.get(1).writer == "first"


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "of another number", "missing"])
def test_what_opens_is_the_newest_intact_one(damage: str, snapshots: Snapshots, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        snapshots.publish(manifest(number))
    path = file(tmp_path, 3)
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        changed = bytearray(content)
        changed[100] ^= 4
        path.write_bytes(
            {
                "empty": b"",
                "truncated": content[:-1],
                "flipped": bytes(changed),
                "of another number": manifest(2).to_json(),
            }[damage]
        )
    head = snapshots.head()
    assert head is not None
    assert head.snapshot == 2
    if damage == "missing":
        return
    problem = next(iter(snapshots.newest()))
    assert isinstance(problem, Damaged)
    assert "00000003.json fails its check" in str(problem)
    assert snapshots.next_number() == 4  # history only grows


def test_a_newer_format_stops_everything(snapshots: Snapshots, tmp_path: Path) -> None:
    snapshots.publish(manifest(1))
    file(tmp_path, 2).write_bytes(dump_checked({"format": FORMAT + 1}))
    with pytest.raises(NewerFormat):
        snapshots.head()
    assert snapshots.get(1).snapshot == 1


@pytest.mark.parametrize("name", ["²", "notes.txt", "3", "00000003", "00000003.json~", "00000003 (copy).json"])
def test_foreign_files_are_no_snapshots(name: str, snapshots: Snapshots, tmp_path: Path) -> None:
    snapshots.publish(manifest(1))
    (file(tmp_path, 1).parent / name).write_bytes(b"x")
    (file(tmp_path, 1).parent / f"{name}.json").write_bytes(b"x")
    head = snapshots.head()
    assert head is not None
    assert head.snapshot == 1


def publish_many(root: Path, pipe: Connection) -> None:
    snapshots = Snapshots(LocalObjects(root), "n")
    published = []
    while len(published) < 10:
        number = snapshots.next_number()
        with contextlib.suppress(Conflict):
            snapshots.publish(manifest(number))
            published.append(number)
    pipe.send(published)


def test_four_publishers_make_one_history(snapshots: Snapshots, tmp_path: Path) -> None:
    pipes = [SPAWN.Pipe() for _ in range(4)]
    children = [SPAWN.Process(target=publish_many, args=(tmp_path, pipe[1])) for pipe in pipes]
    for child in children:
        child.start()
    published = [number for pipe in pipes for number in pipe[0].recv()]
    for child in children:
        child.join(CEILING)
    assert sorted(published) == list(range(1, 41)) == snapshots.numbers()
    assert all(isinstance(found, Manifest) for found in snapshots.newest())


def test_times_sort_as_text() -> None:
    times = [now() for _ in range(100)]
    assert times == sorted(times)
    assert len(set(map(len, times))) == 1
    assert times[0].endswith("Z")

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from rag.checked import FORMAT, dump_checked
from rag.errors import Busy, Cancelled, Conflict, Damaged, NewerFormat, NotFound, NotWritable
from rag.home.snapshots import Snapshots
from rag.manifest import Counts, Manifest, Receipt, VerdictName
from rag.storage.lease import lease, lease_holder
from rag.storage.objects import LocalObjects
from rag.storage.stamp import now, writer_name
from tests.privileges import permissions_count
from tests.waiting import CEILING, FOREVER

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


# ---------------------------------------------------------------------- lease


def hold(folder: Path, pipe: Connection) -> None:
    with lease(folder, wait_seconds=0):
        pipe.send(os.getpid())
        pipe.recv()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[tuple[Any, Connection]]:
    """Another process that holds the lease until it is sent something."""
    ours, theirs = SPAWN.Pipe()
    child = SPAWN.Process(target=hold, args=(folder, theirs))
    child.start()
    assert ours.poll(CEILING)
    assert ours.recv() == child.pid
    try:
        yield child, ours
    finally:
        if child.is_alive():
            child.kill()
        child.join(CEILING)


def test_a_free_lease_is_nobodys(tmp_path: Path) -> None:
    folder = tmp_path / "n"
    assert lease_holder(folder) is None
    assert not folder.exists()
    with lease(folder, wait_seconds=0):
        holder = lease_holder(folder)
    assert holder is not None
    assert holder.startswith(writer_name())
    assert lease_holder(folder) is None
    assert not (folder / ".lock.json").exists()


def test_busy_names_who_and_since_when(tmp_path: Path) -> None:
    before = now()
    with held(tmp_path) as (child, _):
        with pytest.raises(Busy) as error, lease(tmp_path, wait_seconds=0):
            pytest.fail("two builders")
        assert f":{child.pid} (since 2" in str(error.value)
        since = str(error.value).split("(since ")[1].split(")")[0]
        assert before <= since <= now()
        assert lease_holder(tmp_path) == f"{writer_name().split(':')[0]}:{child.pid} (since {since})"


def test_who_waits_is_told_once_and_gets_it(tmp_path: Path) -> None:
    told: list[str] = []
    with held(tmp_path) as (child, pipe):

        def wait(sentence: str) -> None:
            told.append(sentence)
            pipe.send("done")

        with lease(tmp_path, wait_seconds=CEILING, on_wait=wait):
            pass
    assert len(told) == 1
    assert str(child.pid) in told[0]
    assert told[0].endswith("is building this notebook; waiting for it to finish.")


def test_waiting_can_be_stopped(tmp_path: Path) -> None:
    wish = threading.Event()
    with held(tmp_path):
        waiting = lease(tmp_path, wait_seconds=FOREVER, on_wait=lambda _: wish.set(), cancelled=wish.is_set)
        with pytest.raises(Cancelled), waiting:
            pytest.fail("two builders")


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with held(tmp_path) as (child, _):
        os.kill(child.pid, signal.SIGKILL)
        child.join(CEILING)
        assert (tmp_path / ".lock.json").exists()  # its note stays, and is not believed
        assert lease_holder(tmp_path) is None
        with lease(tmp_path, wait_seconds=0):
            holder = lease_holder(tmp_path)
            assert holder is not None
            assert str(os.getpid()) in holder


def test_a_builder_that_fails_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lease(tmp_path, wait_seconds=0):
        raise ZeroDivisionError
    with lease(tmp_path, wait_seconds=0):
        pass


def test_two_threads_are_two_builders(tmp_path: Path) -> None:
    with lease(tmp_path, wait_seconds=0):
        said: list[str] = []

        def other() -> None:
            try:
                with lease(tmp_path, wait_seconds=0):
                    said.append("in")
            except Busy:
                said.append("busy")

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert said == ["busy"]


def test_those_who_ask_are_not_taken_for_builders(tmp_path: Path) -> None:
    with lease(tmp_path, wait_seconds=0):
        pass
    answers: set[str | None] = set()
    threads = [
        threading.Thread(target=lambda: answers.update(lease_holder(tmp_path) for _ in range(500))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {None}


def test_a_torn_note_is_another_process(tmp_path: Path) -> None:
    with lease(tmp_path, wait_seconds=0):
        for torn in ("", "{", "[]", '{"writer": "x"}', '"x"', "\ufeff"):
            (tmp_path / ".lock.json").write_text(torn, "utf-8")
            assert lease_holder(tmp_path) == "Another process"
        (tmp_path / ".lock.json").write_bytes(b"\xff")
        assert lease_holder(tmp_path) == "Another process"


def test_a_home_that_cannot_be_written_has_no_lease(tmp_path: Path) -> None:
    folder = tmp_path / "n"
    folder.mkdir()
    folder.chmod(0o555)
    try:
        with permissions_count():
            with pytest.raises(NotWritable), lease(folder, wait_seconds=0):
                pytest.fail("leased")
            assert lease_holder(folder) is None
    finally:
        folder.chmod(0o755)

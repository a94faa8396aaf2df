"""Who is building: one at a time, named while it lasts, and let go of whatever happens."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from rag.errors import Busy, Cancelled, NotWritable, StoreError
from rag.storage import lease as lease_room
from rag.storage.lease import lease, lease_holder
from rag.storage.stamp import now, writer_name
from tests.privileges import permissions_count
from tests.waiting import CEILING, FOREVER

SPAWN = multiprocessing.get_context("spawn")


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


def test_who_has_nobody_to_ask_takes_anybody_for_the_builder(tmp_path: Path) -> None:
    """Where a lock cannot be shared, as on Windows, one tries to take it."""
    assert not lease_room._refuses(tmp_path / "none" / ".lock")
    with held(tmp_path):
        assert lease_room._refuses(tmp_path / ".lock")
    assert not lease_room._refuses(tmp_path / ".lock")


def test_a_lock_that_is_a_folder_has_no_builder(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    assert lease_holder(tmp_path) is None
    with pytest.raises(StoreError), lease(tmp_path, wait_seconds=0):
        pytest.fail("leased")


def test_a_note_that_cannot_be_written_is_no_reason_not_to_build(tmp_path: Path) -> None:
    (tmp_path / ".lock.json").mkdir()
    with lease(tmp_path, wait_seconds=0):
        assert lease_holder(tmp_path) == "Another process"
    assert (tmp_path / ".lock.json").is_dir()
    assert lease_holder(tmp_path) is None

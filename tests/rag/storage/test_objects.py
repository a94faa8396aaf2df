from __future__ import annotations

import errno
import multiprocessing
import os
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from rag.errors import AlreadyExists, ConfigError, DiskFull, NotFound, NotWritable, StoreUnavailable
from rag.storage.durable import make_folder
from rag.storage.failures import translate
from rag.storage.objects import TEMPORARY, LocalObjects, open_home
from tests.privileges import permissions_count
from tests.waiting import CEILING

SPAWN = multiprocessing.get_context("spawn")


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def in_child(target: Callable[..., None], *arguments: Any) -> Any:
    """What `target(pipe, *arguments)` sends from a process of its own."""
    ours, theirs = SPAWN.Pipe()
    child = SPAWN.Process(target=target, args=(theirs, *arguments))
    child.start()
    theirs.close()
    try:
        assert ours.poll(CEILING), "the child says nothing"
        return ours.recv()
    finally:
        child.join(CEILING)


def test_what_was_created_is_there(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path / "home")
    assert not (tmp_path / "home").exists()
    objects.create("a/b/c.json", b"bytes")
    assert objects.get("a/b/c.json") == b"bytes"
    assert objects.exists("a/b/c.json")
    assert objects.names("a/b") == ["a/b/c.json"]
    assert objects.folders("a") == ["b"]
    assert everything(tmp_path) == ["home/a/b/c.json"]


def test_looking_creates_nothing(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path / "home")
    assert objects.names("a") == objects.folders("a") == []
    assert not objects.exists("a")
    objects.delete("a/b")
    with pytest.raises(NotFound, match="a/b does not exist"):
        objects.get("a/b")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_object_is_not_touched(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    objects.create("a/1.json", b"first")
    with pytest.raises(AlreadyExists, match=r"a/1\.json exists already"):
        objects.create("a/1.json", b"second")
    assert objects.get("a/1.json") == b"first"
    assert everything(tmp_path) == ["a/1.json"]


def race(pipe: Connection, root: Path, start: Any, who: int) -> None:
    objects = LocalObjects(root)
    won = []
    for number in range(20):
        start.wait(CEILING)
        try:
            objects.create(f"m/{number:03d}.json", b"%d" % who * 1000)
            won.append(number)
        except AlreadyExists:
            pass
    pipe.send(won)


def test_of_eight_processes_one_wins_each_race(tmp_path: Path) -> None:
    start = SPAWN.Barrier(8)
    pipes = [SPAWN.Pipe() for _ in range(8)]
    children = [SPAWN.Process(target=race, args=(pipes[n][1], tmp_path, start, n)) for n in range(8)]
    for child in children:
        child.start()
    won = {who: pipe[0].recv() for who, pipe in enumerate(pipes)}
    for child in children:
        child.join(CEILING)
    assert sorted(number for numbers in won.values() for number in numbers) == list(range(20))
    objects = LocalObjects(tmp_path)
    for who, numbers in won.items():
        for number in numbers:
            assert objects.get(f"m/{number:03d}.json") == b"%d" % who * 1000
    assert len(everything(tmp_path)) == 20  # and no temporary


def test_names_are_sorted_and_leave_out_what_is_no_object(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    for number in (10, 2, 1, 30):
        objects.create(f"m/{number:08d}.json", b"")
    objects.create("m/deeper/1.json", b"")
    (tmp_path / "m" / f"{TEMPORARY}abc").write_bytes(b"half")
    (tmp_path / "m" / ".DS_Store").write_bytes(b"")
    assert objects.names("m") == [f"m/{number:08d}.json" for number in (1, 2, 10, 30)]
    assert objects.folders("m") == ["deeper"]
    assert objects.folders("") == ["m"]


@pytest.mark.parametrize(
    "name",
    ["a b", "a%20b", "#1.json", "a?b", "ü", "e\u0301", "a*[b]", "a\\b", "a:b", "~", "'\"", "%2e%2e", "日本", "a" * 200],
)
def test_odd_names_mean_themselves(name: str, tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path / name)
    objects.create(f"f/{name}", name.encode())
    assert objects.get(f"f/{name}") == name.encode()
    assert objects.names("f") == [f"f/{name}"]
    objects.delete(f"f/{name}")
    assert not objects.exists(f"f/{name}")
    assert everything(tmp_path) == []


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)

    def half(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.EIO, "the disk says no")

    with pytest.raises(StoreUnavailable, match=r"m/1\.json cannot be used: the disk says no"):
        objects.create_with("m/1.json", half)
    assert everything(tmp_path) == []

    def interrupted(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        objects.create_with("m/1.json", interrupted)
    assert everything(tmp_path) == []


def fill(pipe: Connection, root: Path) -> None:
    # Files of this process end at 64 kB: the write fails half-way, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
    objects = LocalObjects(root)
    objects.create("m/1.json", b"x" * 60_000)
    try:
        objects.create("m/2.json", b"x" * 100_000)
    except DiskFull as error:
        pipe.send(str(error))
    else:
        pipe.send(None)


def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path: Path) -> None:
    sentence = in_child(fill, tmp_path)
    assert sentence == "No space left while writing m/2.json. Free some space and try again; what was saved is safe."
    assert everything(tmp_path) == ["m/1.json"]
    assert len(LocalObjects(tmp_path).get("m/1.json")) == 60_000


def forbidden(pipe: Connection, root: Path) -> None:
    with permissions_count():
        objects = LocalObjects(root)
        said = []
        for attempt in (
            lambda: objects.create("closed/2.json", b"new"),
            lambda: objects.create("closed/deeper/2.json", b"new"),
            lambda: objects.get("secret/1.json"),
            lambda: objects.exists("secret/1.json"),
            lambda: objects.names("secret"),
            lambda: objects.delete("closed/1.json"),
        ):
            try:
                attempt()
                said.append("done")
            except NotWritable as error:
                said.append(str(error))
        said.append(objects.get("closed/1.json").decode())
    pipe.send(said)


def test_permissions_are_named(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    objects.create("closed/1.json", b"old")
    objects.create("secret/1.json", b"old")
    (tmp_path / "closed").chmod(0o555)
    (tmp_path / "secret").chmod(0o000)
    try:
        *refused, readable = in_child(forbidden, tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)
        (tmp_path / "secret").chmod(0o755)
    assert all("No permission" in sentence for sentence in refused), refused
    assert readable == "old"
    assert everything(tmp_path) == ["closed/1.json", "secret/1.json"]


def test_a_folder_in_the_place_of_an_object_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "m" / "1.json").mkdir(parents=True)
    objects = LocalObjects(tmp_path)
    assert not objects.exists("m/1.json")
    assert objects.names("m") == []
    with pytest.raises((StoreUnavailable, NotFound)):
        objects.get("m/1.json")
    with pytest.raises(AlreadyExists):
        objects.create("m/1.json", b"")


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match=r"m/1\.json cannot be used: Not a directory"):
        LocalObjects(tmp_path).create("m/1.json", b"")
    assert LocalObjects(tmp_path).names("m") == []


def test_a_home_that_vanished_is_not_found(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path / "home")
    objects.create("a/1.json", b"")
    (tmp_path / "home").rename(tmp_path / "elsewhere")
    with pytest.raises(NotFound):
        objects.get("a/1.json")
    assert objects.names("a") == []


def test_many_may_make_one_folder(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()


@pytest.mark.parametrize("home", ["s3://bucket/x", "gs://b", "az://c", "memory://", "http://x"])
def test_a_home_that_is_not_a_folder_is_refused(home: str) -> None:
    with pytest.raises(ConfigError, match="local folder"):
        open_home(home, "default")


def test_a_home_is_a_path_of_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_home(f"file://{tmp_path}", "w").root == tmp_path / "w"
    monkeypatch.chdir(tmp_path)
    assert open_home("./data", "w").root == tmp_path / "data" / "w"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_home("~/data", "w").root == tmp_path / "data" / "w"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="which is a file"):
        open_home(str(tmp_path / "file"), "w")
    assert everything(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *((errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EFBIG, DiskFull)),
        *((errno.EACCES, NotWritable), (errno.EPERM, NotWritable), (errno.EROFS, NotWritable)),
        *((errno.EIO, StoreUnavailable), (errno.ESTALE, StoreUnavailable), (errno.EMFILE, StoreUnavailable)),
    ],
)
def test_every_errno_has_its_error(number: int, kind: type[Exception]) -> None:
    error = translate(OSError(number, os.strerror(number)), "m/1.json")
    assert type(error) is kind
    assert "m/1.json" in str(error)

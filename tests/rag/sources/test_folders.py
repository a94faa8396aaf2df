from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rag.sources.folders import collect
from tests.privileges import permissions_count


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, "utf-8")
    return folder


def found(*paths: Path) -> dict[str, Path | None]:
    incoming, skipped = collect(paths)
    assert skipped == []
    return {one.name: one.path for one in incoming}


def refused(*paths: Path) -> dict[str, str]:
    incoming, skipped = collect(paths)
    assert incoming == []
    return dict(skipped)


def test_files_are_named_by_themselves_and_by_their_place_below_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "single.txt", "docs/b.md", "docs/a.md", "docs/deep/er/c d.pdf")
    assert found(tmp_path / "docs", tmp_path / "single.txt") == {
        "a.md": tmp_path / "docs" / "a.md",
        "b.md": tmp_path / "docs" / "b.md",
        "deep/er/c d.pdf": tmp_path / "docs" / "deep" / "er" / "c d.pdf",
        "single.txt": tmp_path / "single.txt",
    }


def test_the_order_is_always_the_same(tmp_path: Path) -> None:
    make(tmp_path, *(f"{folder}/{number}.txt" for folder in "zxy" for number in (10, 9, 1)))
    names = [one.name for one in collect([tmp_path])[0]]
    assert names == [f"{folder}/{number}.txt" for folder in "xyz" for number in (1, 10, 9)]


def test_hidden_files_and_folders_are_left_out_unless_named(tmp_path: Path) -> None:
    make(tmp_path, "seen.txt", ".env", ".git/config", "a/.hidden/x.txt", "a/.DS_Store")
    assert list(found(tmp_path)) == ["seen.txt"]
    assert list(found(tmp_path / ".env")) == [".env"]


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert collect([tmp_path]) == ([], [])
    assert collect([]) == ([], [])


def test_links_inside_the_folder_are_files_and_links_out_of_it_are_not_followed(tmp_path: Path) -> None:
    folder = make(tmp_path / "docs", "real.txt", "sub/x.txt")
    make(tmp_path, "secret.txt", "outside/y.txt")
    (folder / "inside.txt").symlink_to("real.txt")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "relative.txt").symlink_to("../secret.txt")
    (folder / "sub" / "folder").symlink_to(tmp_path / "outside")
    (folder / "again").symlink_to(folder)
    (folder / "dangling.txt").symlink_to("nowhere")
    (folder / "loop.txt").symlink_to("loop.txt")
    incoming, skipped = collect([folder])
    assert [one.name for one in incoming] == ["inside.txt", "real.txt", "sub/x.txt"]
    reasons = dict(skipped)
    assert set(reasons) == {"out.txt", "relative.txt", "sub/folder", "again", "dangling.txt", "loop.txt"}
    assert "leads out of the folder" in reasons["out.txt"]
    assert reasons["out.txt"] == reasons["relative.txt"]
    assert "A link to a folder is not followed" in reasons["sub/folder"]
    assert "leads nowhere" in reasons["dangling.txt"]
    assert "cannot be opened" in reasons["loop.txt"]


def test_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "docs/a.txt")
    (tmp_path / "link.txt").symlink_to("docs/a.txt")
    (tmp_path / "folder").symlink_to("docs")
    assert list(found(tmp_path / "link.txt", tmp_path / "folder")) == ["link.txt", "a.txt"]
    (tmp_path / "dangling").symlink_to("nowhere")
    assert refused(tmp_path / "dangling") == {"dangling": "The link leads nowhere."}


@pytest.mark.parametrize("named", [True, False])
def test_pipes_sockets_and_devices_are_skipped(named: bool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(tmp_path)  # the path of a socket must be short
    try:
        listener.bind("socket")
    finally:
        os.chdir(before)
    listener.close()
    paths = [tmp_path / "pipe", tmp_path / "socket", Path("/dev/null")] if named else [tmp_path]
    reasons = refused(*paths)
    assert set(reasons) == ({"pipe", "socket", "null"} if named else {"pipe", "socket"})
    assert all("not a file but a pipe, socket or device" in reason for reason in reasons.values())


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.txt") == {"no.txt": "There is no such file. Check the path."}
    make(tmp_path, "file.txt")
    assert "Not a directory" in refused(tmp_path / "file.txt" / "below.txt")["below.txt"]


def test_names_no_system_takes_are_refused_and_not_raised(tmp_path: Path) -> None:
    assert "too long" in next(iter(refused(tmp_path / ("x" * 5000)).values()))
    assert "null" in next(iter(refused(tmp_path / "a\0b").values()))


def test_what_is_shown_can_be_printed(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    os.mkfifo(odd / os.fsdecode(b"\xff\x1b[31m.txt"))
    (tmp_path / os.fsdecode(b"\xfe")).symlink_to(odd)
    for name, reason in collect([tmp_path, tmp_path / os.fsdecode(b"\xfd")])[1]:
        assert name.encode("utf-8")
        assert reason.encode("utf-8")
        assert name.isprintable()
    make(tmp_path, "x.txt")
    (tmp_path / "x.txt").rename(tmp_path / os.fsdecode(b"\xe9.txt"))
    assert len(collect([tmp_path])[0]) == 1  # a readable file is added; its name is made safe when it is


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    make(tmp_path, "open.txt", "closed.txt", "shut/x.txt", "listed/y.txt")
    for name, mode in (("closed.txt", 0), ("shut", 0), ("listed", 0o444)):
        (tmp_path / name).chmod(mode)
    try:
        with permissions_count():
            incoming, skipped = collect([tmp_path])
            direct = collect([tmp_path / "shut" / "x.txt", tmp_path / "shut"])
    finally:
        (tmp_path / "shut").chmod(0o755)
        (tmp_path / "listed").chmod(0o755)
    assert [one.name for one in incoming] == ["open.txt"]
    reasons = dict(skipped)
    assert set(reasons) == {"closed.txt", "shut", "listed/y.txt"}
    assert reasons["closed.txt"] == "There is no permission to read it."
    assert "The folder cannot be read: Permission denied" in reasons["shut"]
    assert direct[0] == []
    assert all("Permission denied" in reason for _, reason in direct[1])


def test_two_folders_may_hold_files_of_one_name(tmp_path: Path) -> None:
    make(tmp_path, "a/x.txt", "b/x.txt")
    incoming, _ = collect([tmp_path / "a", tmp_path / "b"])
    assert [(one.name, one.path) for one in incoming] == [
        ("x.txt", tmp_path / "a" / "x.txt"),
        ("x.txt", tmp_path / "b" / "x.txt"),
    ]

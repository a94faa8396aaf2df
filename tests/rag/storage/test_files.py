"""Files of a workspace by name: looked at, moved aside, removed, and nothing else touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rag.storage.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/one.bin").write_bytes(b"one")
    (tmp_path / "a/b/two.bin").write_bytes(b"two")
    return Files(tmp_path)


def test_looking_changes_nothing_and_follows_names(files: Files, tmp_path: Path) -> None:
    assert files.at("a/one.bin") == tmp_path / "a/one.bin"
    assert files.at() == tmp_path
    assert files.size("a/one.bin") == 3
    assert files.sha256("a/one.bin") == hashlib.sha256(b"one").hexdigest()
    assert files.is_file("a/one.bin")
    assert files.is_folder("a/b")
    assert not files.exists("a/three.bin")
    assert sorted(files.found("a")) == ["a/b", "a/b/two.bin", "a/one.bin"]
    assert list(files.found("a", "*.bin")) == ["a/one.bin"]
    assert list(files.found("nowhere")) == []


def test_what_is_not_there_has_no_size_and_no_digest(files: Files) -> None:
    for look in (files.size, files.modified, files.sha256):
        with pytest.raises(FileNotFoundError):
            look("a/three.bin")


def test_a_link_is_no_ordinary_file(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a/link").symlink_to(tmp_path / "a/one.bin")
    assert files.ordinary("a/one.bin")
    assert not files.ordinary("a/link")
    assert not files.ordinary("a/b")


def test_what_is_set_aside_keeps_its_bytes_under_another_name(files: Files, tmp_path: Path) -> None:
    assert files.set_aside("a/one.bin") == "one.bin.damaged"
    assert files.set_aside("a/one.bin") is None
    assert (tmp_path / "a/one.bin.damaged").read_bytes() == b"one"
    assert files.set_aside("a/b") == "b.damaged"


def test_removing_takes_files_and_folders_and_no_link_s_target(files: Files, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/x").write_bytes(b"x")
    (tmp_path / "a/link").symlink_to(tmp_path / "kept")
    for name in ("a/link", "a/one.bin", "a/b", "a/none"):
        files.remove(name)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a", tmp_path / "kept"]
    assert list((tmp_path / "a").iterdir()) == []
    assert (tmp_path / "kept/x").read_bytes() == b"x"


def test_pruning_goes_up_as_far_as_folders_are_empty(files: Files, tmp_path: Path) -> None:
    files.remove("a/b/two.bin")
    files.prune("a/b")
    assert not (tmp_path / "a/b").exists()
    assert (tmp_path / "a").is_dir()
    files.remove("a/one.bin")
    files.prune("a")
    assert list(tmp_path.iterdir()) == []


def test_renaming_stays_in_the_folder(files: Files, tmp_path: Path) -> None:
    files.rename("a/b", ".tmp-gone")
    assert (tmp_path / "a/.tmp-gone/two.bin").read_bytes() == b"two"

"""An archive is there whole or not at all, and lists what is in it."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from rag.errors import AlreadyExists, Damaged, NotFound, StoreError
from rag.moving.contents import CONTENTS, Member, parse_contents
from rag.moving.packing import Packing
from tests.privileges import permissions_count


def packed(file: Path, **members: bytes) -> Path:
    with Packing(file) as packing:
        for name, content in members.items():
            packing.add_bytes(name, content)
        packing.finish("main", "Title", 3, "2026-01-01T00:00:00Z")
    return file


def test_members_are_stored_and_listed_by_name(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x" * 3_000_000)
    with Packing(tmp_path / "a.zip") as packing:
        packing.add_bytes("z", b"last")
        packing.add_file("b", tmp_path / "source")
        size = packing.finish("main", "Title", 3, "2026-01-01T00:00:00Z")
        assert size == (tmp_path / "a.zip").stat().st_size > 3_000_000
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        assert opened.testzip() is None
        assert [entry.filename for entry in opened.infolist()] == ["z", "b", CONTENTS]
        found = parse_contents(opened.read(CONTENTS))
    assert (found.slug, found.title, found.snapshot) == ("main", "Title", 3)
    assert found.members == (
        Member("b", 3_000_000, hashlib.sha256(b"x" * 3_000_000).hexdigest()),
        Member("z", 4, hashlib.sha256(b"last").hexdigest()),
    )


def test_an_archive_says_nothing_of_when_and_by_whom(tmp_path: Path) -> None:
    with zipfile.ZipFile(packed(tmp_path / "a.zip", a=b"1")) as opened:
        for entry in opened.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.external_attr >> 16 == 0o100600
            assert entry.compress_type == zipfile.ZIP_STORED
    assert packed(tmp_path / "b.zip", a=b"1").read_bytes() == (tmp_path / "a.zip").read_bytes()


def test_what_is_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with Packing(tmp_path / "a.zip") as packing:
        packing.add_bytes("a", b"1")
        assert [path.name.startswith(".tmp-") for path in tmp_path.iterdir()] == [True]
    assert list(tmp_path.iterdir()) == []


def test_beginning_anew_forgets_what_was_packed(tmp_path: Path) -> None:
    with Packing(tmp_path / "a.zip") as packing:
        packing.add_bytes("a", b"1")
        packing.restart()
        packing.add_bytes("b", b"2")
        packing.finish("main", "", 1, "")
    with zipfile.ZipFile(tmp_path / "a.zip") as opened:
        assert opened.namelist() == ["b", CONTENTS]


@pytest.mark.parametrize(
    ("size", "sha256", "said"),
    [(3, None, "has 4 bytes instead of 3"), (4, "0" * 64, "its SHA-256 is not"), (5, None, "has 4 bytes instead of 5")],
)
def test_a_file_must_be_what_was_pinned(tmp_path: Path, size: int, sha256: str | None, said: str) -> None:
    (tmp_path / "source").write_bytes(b"four")
    with Packing(tmp_path / "a.zip") as packing:
        with pytest.raises(Damaged, match=f"^a .*{said}"):
            packing.add_file("a", tmp_path / "source", size, sha256)
        with pytest.raises(Damaged, match="b is missing from the home"):
            packing.add_file("b", tmp_path / "none")


def test_an_archive_replaces_an_archive_and_nothing_else(tmp_path: Path) -> None:
    packed(tmp_path / "a.zip", a=b"1")
    with zipfile.ZipFile(packed(tmp_path / "a.zip", b=b"2")) as opened:
        assert opened.namelist()[0] == "b"
    (tmp_path / "text").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("text", "folder", "link"):
        with pytest.raises(AlreadyExists, match="not an archive"):
            Packing(tmp_path / name)
    with pytest.raises(NotFound, match="There is no folder"):
        Packing(tmp_path / "none" / "a.zip")


def test_the_archive_before_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    before = packed(tmp_path / "a.zip", a=b"1").read_bytes()
    with Packing(tmp_path / "a.zip") as packing:
        packing.add_bytes("b", b"2")
        assert (tmp_path / "a.zip").read_bytes() == before
    assert (tmp_path / "a.zip").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with permissions_count(), pytest.raises(StoreError), Packing(tmp_path / "a.zip"):
            pytest.fail("written all the same")
    finally:
        tmp_path.chmod(0o700)
    assert os.listdir(tmp_path) == []

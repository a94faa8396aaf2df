from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from rag.errors import NotWritable, SourceTooLarge
from rag.storage.digests import MAX_BYTES
from rag.storage.objects import LocalObjects
from rag.storage.originals import Originals
from tests.counting import counted
from tests.privileges import permissions_count

CONTENT = b"as given\r\n\x00\xff" * 1000


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def originals(tmp_path: Path) -> Originals:
    return Originals(LocalObjects(tmp_path / "home"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(CONTENT)
    return path


def test_bytes_and_files_are_kept_by_digest(originals: Originals, source: Path, tmp_path: Path) -> None:
    assert originals.keep(CONTENT) == originals.keep(source) == (sha(CONTENT), len(CONTENT))
    path = originals.path(sha(CONTENT))
    assert path == tmp_path / "home" / "originals" / sha(CONTENT)[:2] / sha(CONTENT)
    assert path.read_bytes() == CONTENT
    assert files(tmp_path / "home") == [path]


@pytest.mark.parametrize("megabytes", [4, 24])
def test_bytes_are_read_once_and_written_once(originals: Originals, source: Path, megabytes: int) -> None:
    source.write_bytes(os.urandom(1 << 20) * megabytes)
    with counted() as io:
        digest, size = originals.keep(source)
    assert (io["rchar"] >> 20, io["wchar"] >> 20) == (megabytes, megabytes)
    assert originals.intact(digest, size)


def test_keeping_again_writes_nothing(originals: Originals, source: Path) -> None:
    digest, _ = originals.keep(source)
    os.utime(originals.path(digest), (1, 1))
    before = originals.path(digest).stat().st_ino
    for given in (source, CONTENT):
        originals.keep(given)
        assert originals.path(digest).stat().st_ino == before
        # As of now: garbage is only what has been old for a while, so this one is safe until it is registered.
        assert originals.path(digest).stat().st_mtime > 1
        os.utime(originals.path(digest), (1, 1))


def test_the_kept_copy_is_a_copy(originals: Originals, source: Path) -> None:
    digest, _ = originals.keep(source)
    with source.open("r+b") as file:
        file.write(b"changed later")
    assert originals.path(digest).read_bytes() == CONTENT
    assert originals.path(digest).stat().st_ino != source.stat().st_ino


def test_an_empty_source_is_a_source(originals: Originals) -> None:
    assert originals.keep(b"") == (sha(b""), 0)
    assert originals.has(sha(b""), 0)


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], CONTENT[:-1] + b"!"], ids=["emptied", "truncated", "flipped"])
@pytest.mark.parametrize("how", ["bytes", "file"])
def test_adding_a_file_again_repairs_its_damaged_original(
    damage: bytes, how: str, originals: Originals, source: Path, tmp_path: Path
) -> None:
    digest, _ = originals.keep(source)
    originals.path(digest).write_bytes(damage)
    assert not originals.intact(digest, len(CONTENT))
    assert originals.keep(CONTENT if how == "bytes" else source) == (digest, len(CONTENT))
    assert originals.path(digest).read_bytes() == CONTENT
    assert originals.intact(digest, len(CONTENT))
    assert len(files(tmp_path / "home")) == 1


def test_has_knows_sizes(originals: Originals) -> None:
    digest, size = originals.keep(CONTENT)
    assert originals.has(digest)
    assert originals.has(digest, size)
    assert not originals.has(digest, size + 1)
    assert not originals.has(sha(b"other"))


def test_a_file_that_changes_while_it_is_kept_is_kept_under_the_digest_of_what_was_kept(
    originals: Originals, source: Path, tmp_path: Path
) -> None:
    stop = threading.Event()

    def scribble() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with source.open("r+b") as file:
                file.write(number.to_bytes(8, "big") * 200_000)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        kept = {originals.keep(source) for _ in range(30)}
    finally:
        stop.set()
        writer.join()
    for digest, size in kept:
        content = originals.path(digest).read_bytes()
        assert (sha(content), len(content)) == (digest, size)
    assert len(files(tmp_path / "home")) == len(kept)  # and no temporary


def test_what_is_too_large_is_refused_before_it_is_read(originals: Originals, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(SourceTooLarge, match="limit is 100 MB"):
        originals.keep(path)
    with pytest.raises(SourceTooLarge):
        originals.keep(bytes(MAX_BYTES + 1))
    assert not (tmp_path / "home").exists()


def test_a_source_without_end_is_refused(originals: Originals, tmp_path: Path) -> None:
    with pytest.raises(SourceTooLarge):
        originals.keep(Path("/dev/zero"))
    assert not (tmp_path / "home").exists()


def test_a_source_at_the_limit_is_kept(originals: Originals, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES)
    digest, size = originals.keep(path)
    assert size == MAX_BYTES
    assert originals.path(digest).stat().st_size == MAX_BYTES


def test_the_sources_own_failures_are_not_those_of_the_home(originals: Originals, source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        originals.keep(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        originals.keep(tmp_path)
    source.chmod(0)
    with permissions_count(), pytest.raises(PermissionError):
        originals.keep(source)
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written_is_named(originals: Originals, source: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o555)
    try:
        with permissions_count():
            for given in (source, CONTENT):
                with pytest.raises(NotWritable, match="No permission"):
                    originals.keep(given)
    finally:
        home.chmod(0o755)
    assert files(home) == []


def test_a_name_is_no_part_of_the_address(originals: Originals, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff ../x\n.pdf".replace(b"/", b"_"))
    odd.write_bytes(CONTENT)
    assert originals.keep(odd) == (sha(CONTENT), len(CONTENT))

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import Damaged, DiskFull, NotWritable
from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import TableFile, files_of, latest_version, os_failure, set_aside_torn, shape_of, sync
from rag.tables.tidying import tidy

LAST = 2**64 - 1


def chunks(source: str, count: int, word: str = "dog") -> list[ChunkRow]:
    vectors = np.random.default_rng(len(source) + count).standard_normal((count, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        ChunkRow(f"{source}-{n}", source, n, f"{word} number {n} of {source}", vector=vectors[n].astype(np.float32))
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table folder with every kind of file: several fragments, deletions, a rebuilt and a compacted text index."""
    folder = tmp_path_factory.mktemp("lived_in")
    table = ChunkTable.create(folder, "t", 8, "space")
    table.replace([f"s{n}" for n in range(40)], [row for n in range(40) for row in chunks(f"s{n}", 20)])
    table.rebuild_text_index()
    table.replace(["s3"], chunks("s3", 7, "cat"))
    table.delete_sources(["s5"])
    for n in range(35):
        table.upsert(chunks(f"new{n}", 2))
    tidy(table)
    table.replace(["s9"], chunks("s9", 3, "bird"))
    table.delete([f"s{n}-1" for n in range(10, 40)])
    return folder / "t.lance"


def contents(folder: Path, version: int) -> tuple[object, ...]:
    reader = ChunkTable.open(folder.parent, "t", version).reader()
    rows = reader.rows_at(range(reader.count), with_vectors=True)
    vectors = [row.vector.tolist() for row in rows if row.vector is not None]
    found = [reader.full_text(query, 2000) for query in ("dog", "cat", "bird", "number 3 s4")]
    return rows, vectors, found, reader.nearest(np.ones(8), 2000)


def test_the_listed_files_alone_are_the_version(lived_in: Path, tmp_path: Path) -> None:
    newest = latest_version(lived_in)
    assert newest is not None
    assert newest > 40
    for version in (1, 2, 3, 4, 5, 6, 20, newest - 2, newest - 1, newest):
        bare = tmp_path / str(version) / "t.lance"
        files = files_of(lived_in, version)
        assert list(files) == sorted(files)
        for file in files:
            (bare / file.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(lived_in / file.path, bare / file.path)
            assert (bare / file.path).stat().st_size == file.size
        assert contents(bare, version) == contents(lived_in, version)


def test_every_listed_file_is_needed(lived_in: Path, tmp_path: Path) -> None:
    copy = tmp_path / "t.lance"
    shutil.copytree(lived_in, copy)
    newest = latest_version(copy)
    assert newest is not None
    kinds = {file.path.split("/")[0] for file in files_of(copy, newest)}
    assert kinds == {"_versions", "data", "_deletions", "_indices"}
    for file in files_of(copy, newest):
        path = copy / file.path
        whole = path.read_bytes()
        for torn in (None, b"", whole[: len(whole) // 2]):
            if torn is None:
                path.unlink()
            else:
                path.write_bytes(torn)
            if file.path.startswith("_deletions") and torn:
                continue  # the one kind whose size Lance does not note; its owner's manifest does
            with pytest.raises(Damaged, match=path.name.replace(".", r"\.")):
                files_of(copy, newest)
        path.write_bytes(whole)
    files_of(copy, newest)


def test_shape_counts_rows_without_opening_data(lived_in: Path, tmp_path: Path) -> None:
    newest = latest_version(lived_in)
    assert newest is not None
    shutil.copytree(lived_in / "_versions", tmp_path / "t.lance" / "_versions")
    for version in (2, 3, 6, newest):
        shape = shape_of(tmp_path / "t.lance", version)
        assert shape.rows == ChunkTable.open(lived_in.parent, "t", version).count
    assert shape_of(lived_in, 1).fragments == 0
    assert shape_of(lived_in, newest).deleted >= 30


def test_versions_are_read_from_both_kinds_of_names(tmp_path: Path) -> None:
    assert latest_version(tmp_path / "no.lance") is None
    folder = tmp_path / "t.lance" / "_versions"
    folder.mkdir(parents=True)
    assert latest_version(tmp_path / "t.lance") is None
    for name in ("7.manifest", "x.manifest", "99.manifest.torn", "latest_version_hint.json", "²2.manifest"):
        (folder / name).touch()
    assert latest_version(tmp_path / "t.lance") == 7
    (folder / f"{LAST - 12}.manifest").touch()
    assert latest_version(tmp_path / "t.lance") == 12
    with pytest.raises(Damaged, match="missing"):
        files_of(tmp_path / "t.lance", 8)


def check_any_bytes(raw: bytes, version: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "t.lance"
        (folder / "_versions").mkdir(parents=True)
        (folder / "_versions" / f"{LAST - version:020d}.manifest").write_bytes(raw)
        for look in (files_of, shape_of):
            message = "t.lance/"
            try:
                look(folder, version)
            except Damaged as error:
                message = str(error)
            assert "t.lance/" in message


@settings(max_examples=150)
@given(where=st.integers(0, 10**6), flip=st.integers(1, 255), cut=st.booleans())
def test_torn_and_flipped_manifests_are_damaged_or_still_read(lived_in: Path, where: int, flip: int, cut: bool) -> None:
    newest = latest_version(lived_in)
    assert newest is not None
    raw = bytearray((lived_in / "_versions" / f"{LAST - newest:020d}.manifest").read_bytes())
    where %= len(raw)
    if cut:
        del raw[where:]
    else:
        raw[where] ^= flip
    check_any_bytes(bytes(raw), newest)


def test_sync_reaches_every_file_and_folder(lived_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = latest_version(lived_in)
    assert newest is not None
    files = files_of(lived_in, newest)
    synced: list[tuple[int, int]] = []
    real = os.fsync

    def spy(descriptor: int) -> None:
        found = os.fstat(descriptor)
        synced.append((found.st_dev, found.st_ino))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    sync(lived_in, files)
    expected = {lived_in.parent, lived_in, *(lived_in / file.path for file in files)}
    for file in files:
        expected |= {
            lived_in.joinpath(*Path(file.path).parts[:depth]) for depth in range(1, len(Path(file.path).parts))
        }
    assert set(synced) == {(path.stat().st_dev, path.stat().st_ino) for path in expected}
    assert len(synced) == len(expected)
    # files first, and the folder that holds the table last
    assert synced[-1] == (lived_in.parent.stat().st_dev, lived_in.parent.stat().st_ino)


def test_sync_of_a_lost_file_is_damage(lived_in: Path) -> None:
    with pytest.raises(Damaged, match="gone"):
        sync(lived_in, [TableFile("data/gone.lance", 1)])


def test_torn_manifests_ahead_are_set_aside(lived_in: Path, tmp_path: Path) -> None:
    copy = tmp_path / "t.lance"
    shutil.copytree(lived_in, copy)
    newest = latest_version(copy)
    assert newest is not None
    before = contents(copy, newest - 2)
    for version, size in ((newest, 0), (newest - 1, 100)):
        path = copy / "_versions" / f"{LAST - version:020d}.manifest"
        path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(Damaged, match="manifest"):
        ChunkTable.open(tmp_path, "t", newest - 2)
    assert len(set_aside_torn(copy, newest - 2)) == 2
    assert set_aside_torn(copy, newest - 2) == ()
    assert latest_version(copy) == newest - 2
    assert contents(copy, newest - 2) == before
    assert ChunkTable.open(tmp_path, "t").upsert(chunks("after", 1)) == newest - 1


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EACCES, NotWritable),
        (errno.EROFS, NotWritable),
        (errno.ENOENT, Damaged),
        (errno.EIO, Damaged),
    ],
)
def test_system_errors_have_names(number: int, kind: type[Exception]) -> None:
    failure = os_failure(OSError(number, os.strerror(number)), "t.lance/data/a.lance")
    assert type(failure) is kind
    assert "t.lance/data/a.lance" in str(failure)

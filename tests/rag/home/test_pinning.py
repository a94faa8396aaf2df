from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.config import Config
from rag.errors import Damaged
from rag.home.pinning import pin, verify
from rag.home.place import Place, place_of
from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable


def rows(source: str, count: int) -> list[ChunkRow]:
    vectors = np.random.default_rng(count).standard_normal((count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [ChunkRow(f"{source}-{n}", source, n, f"text {n}", vector=vectors[n]) for n in range(count)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_of(Config(home=str(tmp_path)), "n")


@pytest.fixture
def table(place: Place) -> ChunkTable:
    table = ChunkTable.create(place.folder / "index" / "r", "chunks", 8, "space")
    table.replace(["a"], rows("a", 20))
    return table


def test_what_was_written_is_what_is_there(table: ChunkTable) -> None:
    verify(table, 20, rows("a", 20))
    verify(table, 20, [])


def test_another_count_is_not_published(table: ChunkTable) -> None:
    for wrong in (19, 21, 0):
        with pytest.raises(Damaged, match=f"has 20 chunks instead of {wrong}"):
            verify(table, wrong, [])


@pytest.mark.parametrize("difference", ["text", "vector", "missing", "nudge"])
def test_a_row_that_comes_back_otherwise_is_not_published(difference: str, table: ChunkTable) -> None:
    wrong = rows("a", 20)
    first = wrong[0]
    assert first.vector is not None
    wrong[0] = {
        "text": replace(first, text="other"),
        "vector": replace(first, vector=-first.vector),
        "missing": replace(first, id="nobody"),
        "nudge": replace(first, vector=np.nextafter(first.vector, np.float32(2))),
    }[difference]
    with pytest.raises(Damaged, match="not what was written"):
        verify(table, 20, wrong)


def test_a_pin_names_every_file_with_size_and_digest(place: Place, table: ChunkTable) -> None:
    pinned = pin(place, table.path, table.version, 20, None)
    assert (pinned.path, pinned.version, pinned.rows) == ("index/r/chunks.lance", table.version, 20)
    assert len(pinned.files) >= 2
    for file in pinned.files:
        content = (table.path / file.path).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_files_pinned_before_are_not_read_again(place: Place, table: ChunkTable) -> None:
    before = pin(place, table.path, table.version, 20, None)
    marked = replace(before, files=tuple(replace(file, sha256="known") for file in before.files))
    table.replace(["b"], rows("b", 5))
    after = pin(place, table.path, table.version, 25, marked)
    old = {file.path for file in before.files}
    assert old & {file.path for file in after.files}
    assert all((file.sha256 == "known") == (file.path in old) for file in after.files)
    # Another table's pins say nothing about this one's files.
    elsewhere = pin(place, table.path, table.version, 25, replace(marked, path="index/other/chunks.lance"))
    assert all(file.sha256 != "known" for file in elsewhere.files)


def test_a_missing_file_is_not_pinned(place: Place, table: ChunkTable) -> None:
    next((table.path / "data").iterdir()).unlink()
    with pytest.raises(Damaged):
        pin(place, table.path, table.version, 20, None)

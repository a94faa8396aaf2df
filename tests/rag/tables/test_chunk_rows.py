from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import Damaged, NewerFormat, StoreError, VectorInvalid
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import latest_version
from tests.tables import reopened, row, vector


def test_rows_come_back_as_written(table: ChunkTable) -> None:
    full = row(
        "full",
        text="Ünïcode 日本語 🙂\n\0 'quoted' \"twice\"",
        ordinal=3,
        page=2,
        page_end=3,
        start=2**40,
        end=2**40 + 9,
        heading="Part › One",
        metadata={"a": [1, None, {"b": "ç"}], "z": 1.5, "b": True},
        node={"x": [1, 2]},
    )
    bare = row("bare", ordinal=1)
    version = table.upsert([full, bare])
    for opened in (table, reopened(table), reopened(table, version)):
        assert opened.rows(["full", "none", "bare", "full"]) == [full, bare, full]
        assert (opened.version, opened.count, opened.dimensions, opened.space) == (version, 2, 8, "a space")
        (found,) = opened.rows(["full"], with_vectors=True)
        assert found.vector is not None
        assert found.vector.dtype == np.float32
        assert np.array_equal(found.vector, full.vector)  # type: ignore[arg-type]
        assert opened.rows(["full"])[0].vector is None
        assert opened.rows_of_source("s") == [bare, full]
        assert list(opened.rows(["full"])[0].metadata) == ["a", "z", "b"]


text = st.text(max_size=12)


@settings(max_examples=20)
@given(
    names=st.lists(st.tuples(text, text, text), min_size=1, max_size=6, unique_by=lambda one: one[0]),
    metadata=st.dictionaries(text, text | st.integers() | st.none() | st.booleans(), max_size=3),
    chosen=st.integers(0, 5),
)
def test_any_text_survives_and_a_delete_removes_exactly_it(
    names: list[tuple[str, str, str]], metadata: dict[str, Any], chosen: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = ChunkTable.create(Path(folder), "t", 8, "")
        rows = [row(name, source, words, metadata=metadata) for name, source, words in names]
        table.upsert(rows)
        assert table.rows([one.id for one in rows]) == rows
        gone = rows[chosen % len(rows)]
        first = table.version
        table.delete([gone.id])
        assert table.reader().ids() == tuple(one.id for one in rows if one is not gone)
        table.restore(first)
        table.delete_sources([gone.source_id])
        assert table.reader().ids() == tuple(one.id for one in rows if one.source_id != gone.source_id)
        table.restore(first)
        table.replace([gone.source_id], [])
        assert table.rows_of_source(gone.source_id) == []
        assert table.count == sum(one.source_id != gone.source_id for one in rows)


def test_half_a_surrogate_pair_is_refused_and_never_found(table: ChunkTable) -> None:
    half = "\ud83d"
    for bad in (row(half), row("a", half), row("a", text=half), row("a", metadata={"k": half}), row("a", heading=half)):
        with pytest.raises(StoreError, match="surrogate"):
            table.upsert([bad])
    table.upsert([row("a")])
    version = table.version
    assert table.delete([half]) == table.delete_sources([half]) == table.replace([half], []) == version
    assert table.rows([half]) == table.rows_of_source(half) == []
    assert table.reader().full_text(half + "dog " + half, 5)[0][0] == "a"
    assert table.reader().full_text(half, 5) == []


def test_what_is_no_json_or_no_number_is_refused(table: ChunkTable) -> None:
    for bad in (row("a", metadata={"k": {1, 2}}), row("a", page=2**31), row("a", node={"k": object()})):
        with pytest.raises(StoreError, match="cannot be stored"):
            table.upsert([bad])
    assert table.count == 0


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [1.0] + [0.0] * 7,
        np.ones(8) / np.sqrt(8),
        np.zeros(8, dtype=np.float32),
        np.full(8, np.nan, dtype=np.float32),
        np.array([np.inf] + [0] * 7, dtype=np.float32),
        vector(1) * np.float32(1.002),
        vector(1, 7),
        vector(1).reshape(1, 8),
    ],
)
def test_vectors_are_checked_on_every_write(table: ChunkTable, bad: Any) -> None:
    rows = [row("fine"), row("bad", vector=bad)]
    before = table.version
    writes: list[Callable[[], int]] = [lambda: table.upsert(rows), lambda: table.replace(["s"], rows)]
    for write in writes:
        with pytest.raises(VectorInvalid, match="'bad'"):
            write()
    assert table.version == before == latest_version(table.path)
    table.upsert([row("near", vector=vector(1) * np.float32(1.0005))])


def test_foreign_and_newer_tables_are_refused(tmp_path: Path) -> None:
    database = lancedb.connect(tmp_path)
    database.create_table("foreign", pa.table({"id": ["a"]}))
    with pytest.raises(Damaged, match="no table of Ragbook"):
        ChunkTable.open(tmp_path, "foreign")
    for name, described in (
        ("newer", {"format": 99, "dimensions": 8, "space": ""}),
        ("odd", {"format": 1, "dimensions": "8", "space": ""}),
        ("other", {"format": 1, "dimensions": 8, "space": ""}),
    ):
        schema = pa.schema([pa.field("id", pa.string())], metadata={b"ragbook": json.dumps(described).encode()})
        database.create_table(name, schema=schema)
        with pytest.raises(NewerFormat if name == "newer" else Damaged):
            ChunkTable.open(tmp_path, name)

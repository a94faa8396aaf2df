from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.errors import NotFound
from rag.tables.chunk_table import ChunkTable
from tests.tables import many, reopened, row, written


def test_few_rows_are_found_alike_with_and_without_all_ids_in_memory(table: ChunkTable) -> None:
    table.replace(["a"], many("a", 90))
    asked = [f"a-{n}" for n in (7, 3, 3, 80)] + ["\ud800", "'; --", ""]
    by_scan, in_memory = table.reader(), reopened(table, table.version).reader()
    in_memory.numbers([])
    expected = ["a-7", "a-3", "a-3", "a-80"]
    assert [one.id for one in by_scan.rows(asked)] == [one.id for one in in_memory.rows(asked)] == expected
    (vectors,) = ([one.vector for one in reader.rows(asked[:1], with_vectors=True)] for reader in (by_scan,))
    assert np.array_equal(vectors[0], in_memory.rows(asked[:1], with_vectors=True)[0].vector)


def test_few_rows_of_a_table_of_format_1_are_found_too(tmp_path: Path) -> None:
    released = next((Path(__file__).parents[2] / "golden" / "format-1" / "double").rglob("chunks.lance"))
    shutil.copytree(released, tmp_path / "chunks.lance")
    table = ChunkTable.open(tmp_path, "chunks")
    names = table.reader().ids()[:2]
    for vectors in (False, True):
        found = ChunkTable.open(tmp_path, "chunks").reader().rows(names, with_vectors=vectors)
        assert [one.id for one in found] == list(names)
        assert {one.language for one in found} == {""}


def test_what_is_beside_is_of_the_same_source(table: ChunkTable) -> None:
    table.replace(["a", "b"], [*many("a", 5), *many("b", 2)])
    reader = table.reader()
    assert [one.id for one in reader.beside(reader.rows(["a-3", "b-0"]))] == ["a-2", "a-3", "a-4", "b-0", "b-1"]
    assert [one.id for one in reader.beside(reader.rows(["a-0"]))] == ["a-0", "a-1"]
    assert reader.beside([]) == []


def test_reading_writes_nothing(table: ChunkTable) -> None:
    version = table.upsert(many("s", 30))
    before = written(table.path.parent)
    for opened in (reopened(table), reopened(table, version), reopened(table, 1)):
        opened.exact()
        opened.reader().full_text("dog", 3)
        opened.rows_of_source("s")
        opened.scan(["id"])
    with pytest.raises(NotFound):
        ChunkTable.open(table.path.parent / "nowhere", "t")
    with pytest.raises(NotFound):
        ChunkTable.open(table.path.parent, "other")
    assert written(table.path.parent) == before
    assert not (table.path.parent / "nowhere").exists()


def test_rows_where_meets_every_condition(table: ChunkTable) -> None:
    table.upsert([row(f"{s}{n}", s, metadata={"n": n}) for s in "ab" for n in range(4)])
    reader = table.reader()

    def names(**conditions: Any) -> list[str]:
        rows = reader.rows_where(**conditions)
        assert rows is not None
        return [reader.ids()[number] for number in rows]

    assert reader.rows_where() is None
    assert names(ids=["b1", "a0", "zz"]) == ["a0", "b1"]
    assert names(source_ids=["b"]) == ["b0", "b1", "b2", "b3"]
    assert names(source_ids=["b"], ids=["a0", "b1", "b3"], keep=lambda one: one["n"] > 1) == ["b3"]
    assert names(ids=[]) == []


def test_passages_are_the_same_for_the_first_question_and_any_later_one(table: ChunkTable) -> None:
    table.replace(["a"], [row(f"a-{n}", "a", f"text {n}", page=n or None, start=n, heading=f"h{n}") for n in range(9)])
    reader = table.reader()
    asked = [7, 0, 3, 3]
    first, later = reader.passages_at(asked), reader.passages_at(asked)
    for found in (first, later):
        assert [(one["id"], one["text"], one["page"], one["start"]) for one in found] == [
            (f"a-{n}", f"text {n}", n or None, n) for n in asked
        ]
        assert [one["heading"] for one in found] == [f"h{n}" for n in asked]
    assert reader.passages_at([]) == []

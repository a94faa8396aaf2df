from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pytest

import rag.tables.reader
from rag.errors import NotFound
from rag.tables.chunk_table import ChunkTable
from tests.tables import many, reopened, row, vector, written


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


def test_threads_read_one_version_while_another_writes(table: ChunkTable) -> None:
    table.replace(["s"], many("s", 50))
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            reader = table.reader()
            hits = reader.nearest(vector(1), 50)
            found = reader.rows_at([number for number, _ in hits])
            texts = {one.text.split(" w")[0] for one in found}
            if len(texts) != 1 or len(found) != reader.count or len(reader.matching("dog cat", 99)) != reader.count:
                wrong.append((texts, len(found), reader.count))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(12):
        table.replace(["s"], many("s", 50 - n, "a cat" if n % 2 else "a dog"))
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_reading_writes_nothing(table: ChunkTable) -> None:
    version = table.upsert(many("s", 30))
    before = written(table.path.parent)
    for opened in (reopened(table), reopened(table, version), reopened(table, 1)):
        opened.exact()
        opened.full_text("dog", 3)
        opened.rows_of_source("s")
        opened.scan(["id"])
    with pytest.raises(NotFound):
        ChunkTable.open(table.path.parent / "nowhere", "t")
    with pytest.raises(NotFound):
        ChunkTable.open(table.path.parent, "other")
    assert written(table.path.parent) == before
    assert not (table.path.parent / "nowhere").exists()


def test_vectors_and_ids_share_row_numbers(table: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        table.replace([f"s{n}"], many(f"s{n}", 20))
    table.replace(["s2"], many("s2", 3))
    table.delete(["s4-7"])
    monkeypatch.setattr(rag.tables.reader, "_ZERO_COPY_ROWS", 10)
    copied, ids = reopened(table).exact()
    monkeypatch.setattr(rag.tables.reader, "_ZERO_COPY_ROWS", 1000)
    whole, same_ids = reopened(table).exact()
    assert np.array_equal(copied.matrix, whole.matrix)
    assert ids == same_ids
    for found in table.rows(ids, with_vectors=True):
        assert found.vector is not None
        assert np.array_equal(found.vector, whole.matrix[ids.index(found.id)])
    assert table.scan(["id", "page"])["id"].to_pylist() == list(ids)
    assert table.exact()[0] is table.exact()[0]


def test_an_empty_table_answers(table: ChunkTable) -> None:
    for opened in (table, reopened(table, 1), reopened(table, 2)):
        assert opened.count == 0
        assert opened.exact()[1] == ()
        assert opened.reader().nearest(vector(1), 5) == []
        assert opened.full_text("dog", 5) == []
        assert opened.rows(["x"]) == opened.rows_of_source("x") == []
        assert opened.scan(["id", "vector"]).num_rows == 0


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


def test_full_text_stays_within_its_restriction(table: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    table.replace(["a", "b"], many("a", 60) + many("b", 60))
    table.rebuild_text_index()
    table.replace(["c"], many("c", 20))
    everything = dict(table.full_text("w3 w4", 1000))
    assert len(everything) == sum(found.text[-1] in "34" for found in table.rows(table.reader().ids()))
    for limit in (5000, 3):  # few rows: filtered by Lance; many: here
        monkeypatch.setattr(rag.tables.reader, "_ROW_IDS_IN_SQL", limit)
        found = dict(table.full_text("w3 w4", 1000, source_ids=["b", "c"]))
        assert found.keys() == {name for name in everything if name[0] in "bc"}
        assert [name for name, _ in table.full_text("w3", 5, ids=["a-3", "a-4", "b-3"])] == ["a-3", "b-3"]
    assert table.full_text("w3", 5, source_ids=["zz"]) == []


def test_scores_fall_and_equal_ones_come_in_row_order(table: ChunkTable) -> None:
    table.upsert([row(f"{n}", text="same words here") for n in range(40)] + [row("best", text="same")])
    hits = table.full_text("same", 10)
    assert hits[0][0] == "best"
    assert [name for name, _ in hits[1:]] == [f"{n}" for n in range(9)]
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)


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


def test_what_was_begun_finds_what_asking_at_once_finds(table: ChunkTable) -> None:
    table.replace(["a"], many("a", 60))
    reader = table.reader()
    for question, rows in (("w3 dog", None), ("w3", np.arange(20)), ("", None), ("dog", np.arange(0))):
        begun = reader.begin_matching(question, 7, rows)
        assert reader.matching(question, 7, rows, begun) == reader.matching(question, 7, rows)
    assert not reader.resident
    nearest = reader.nearest(vector(1), 60)
    assert reader.resident
    assert reader.cosines(vector(1), [number for number, _ in nearest[::-1]]) == nearest[::-1]
    assert reader.cosines(vector(1), []) == []


@pytest.mark.parametrize("indexed", [True, False])
def test_terms_are_counted_by_chunk(table: ChunkTable, indexed: bool) -> None:
    if not indexed:
        lancedb.connect(table.path.parent).open_table("t").drop_index("text_idx")
        table = reopened(table)
    table.upsert([row("a", text="a dog and a dog", language="en"), row("b", text="a cat", language="en")])
    found = table.reader().frequencies()
    assert found is not None
    assert (found.rows, found.length) == (2, 3.5)
    assert (found.having["dog"], found.having["a"]) == (1, 2)
    assert (found.stands("cat"), found.stands("owl")) == (True, False)


def test_terms_of_many_chunks_are_counted_in_some_and_searched_for_in_all(table: ChunkTable) -> None:
    table.upsert([*many("s", 3000), row("one", text="an okapi")])
    table.tidy()
    found = table.reader().frequencies()
    assert found is not None
    assert found.rows == found.having["dog"] + found.having["okapi"] == 2048
    assert found.having["w1"] == pytest.approx(2048 / 7, rel=0.1)
    everything = many("z", 3000, "a heron") and found.stands("okapi")
    assert everything
    assert not found.stands("owl")

from __future__ import annotations

import threading

import lancedb
import numpy as np
import pytest

import rag.tables.reader
from rag.tables.chunk_table import ChunkTable
from rag.tables.tidying import tidy
from tests.tables import many, reopened, row, vector


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
        assert opened.reader().full_text("dog", 5) == []
        assert opened.rows(["x"]) == opened.rows_of_source("x") == []
        assert opened.scan(["id", "vector"]).num_rows == 0


def test_full_text_stays_within_its_restriction(table: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    table.replace(["a", "b"], many("a", 60) + many("b", 60))
    table.rebuild_text_index()
    table.replace(["c"], many("c", 20))
    everything = dict(table.reader().full_text("w3 w4", 1000))
    assert len(everything) == sum(found.text[-1] in "34" for found in table.rows(table.reader().ids()))
    for limit in (5000, 3):  # few rows: filtered by Lance; many: here
        monkeypatch.setattr(rag.tables.reader, "_ROW_IDS_IN_SQL", limit)
        found = dict(table.reader().full_text("w3 w4", 1000, source_ids=["b", "c"]))
        assert found.keys() == {name for name in everything if name[0] in "bc"}
        assert [name for name, _ in table.reader().full_text("w3", 5, ids=["a-3", "a-4", "b-3"])] == ["a-3", "b-3"]
    assert table.reader().full_text("w3", 5, source_ids=["zz"]) == []


def test_scores_fall_and_equal_ones_come_in_row_order(table: ChunkTable) -> None:
    table.upsert([row(f"{n}", text="same words here") for n in range(40)] + [row("best", text="same")])
    hits = table.reader().full_text("same", 10)
    assert hits[0][0] == "best"
    assert [name for name, _ in hits[1:]] == [f"{n}" for n in range(9)]
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)


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
    tidy(table)
    found = table.reader().frequencies()
    assert found is not None
    assert found.rows == found.having["dog"] + found.having["okapi"] == 2048
    assert found.having["w1"] == pytest.approx(2048 / 7, rel=0.1)
    everything = many("z", 3000, "a heron") and found.stands("okapi")
    assert everything
    assert not found.stands("owl")

from __future__ import annotations

from dataclasses import replace

import lancedb
import pytest

from rag.manifest import Counts
from rag.upkeep.doctor import examine
from rag.upkeep.inspections import chunk_problem
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, text_of


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("long.txt", text_of(600, 1))])
    return made


def updated(book, *changes):
    """The newest manifest as if it pinned its chunks after these (condition, values)."""
    head = book.place.snapshots.head()
    pinned = head.tables["chunks"]
    table = lancedb.connect(str((book.place.folder / pinned.path).parent)).open_table("chunks")
    for where, values in changes:
        table.update(where=where, values=values)
    return replace(head, tables={**head.tables, "chunks": replace(pinned, version=int(table.version))})


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_table_has_no_problem(book, deep):
    assert chunk_problem(book.place, book.place.snapshots.head(), deep=deep) is None


def test_a_wrong_vector_among_many_is_found_by_a_deep_look_and_many_by_any(book):
    head = book.place.snapshots.head()
    assert head.counts.chunks == 600
    wrong = [0.5] + [0.0] * (head.recipe["embedder"]["dimensions"] - 1)
    # What is updated comes last, so that the wrong row is the third from the end: not one of the sample.
    manifest = updated(book, ("ordinal = 1", {"vector": wrong}), ("ordinal IN (7, 8)", {"heading": "x"}))
    assert chunk_problem(book.place, manifest, deep=False) is None
    code, sentence = chunk_problem(book.place, manifest, deep=True)
    assert (code, "1 vectors" in sentence) == ("vectors-wrong", True)
    many = updated(book, ("ordinal > 300", {"vector": wrong}))
    assert chunk_problem(book.place, many, deep=False)[0] == "vectors-wrong"


@pytest.mark.parametrize("deep", [False, True])
def test_rows_and_sources_are_counted_by_any_look(book, deep):
    strange = updated(book, ("ordinal = 3", {"source_id": "f" * 32}))
    assert chunk_problem(book.place, strange, deep=deep)[0] == "sources-wrong"
    fewer = replace(book.place.snapshots.head(), counts=Counts(1, 0, 599))
    assert chunk_problem(book.place, fewer, deep=deep)[0] == "rows-wrong"
    gone = replace(strange, tables={**strange.tables, "chunks": replace(strange.tables["chunks"], version=99)})
    assert chunk_problem(book.place, gone, deep=deep)[0] == "table-unreadable"


def test_a_cache_that_lacks_vectors_is_found_by_any_look(book):
    space = book.place.objects.root / book.place.spaces.folder(book.place.snapshots.head().space_fp)
    lancedb.connect(str(space)).open_table("vectors").delete("crc % 2 = 0")
    for deep in (False, True):
        assert [one.code for one in examine(book.place, book.config, deep=deep).findings] == ["cache-damaged"]

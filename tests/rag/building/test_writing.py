"""Chunks and their vectors into the table, batch by batch: how much is held at once, and what a failure leaves."""

from __future__ import annotations

import gc
import zlib
from typing import Any

import numpy as np
import pytest
from llama_index.core.bridge.pydantic import PrivateAttr

from rag.building.chunking import GROUP
from rag.errors import QuotaExceeded
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from rag.progress import Stage
from rag.reading.splitting import Piece
from rag.tables.chunk_rows import ChunkRow
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, notebook, opened, text_of

# No error made here: one that is raised keeps the frames it went through, and the chunks in them.
QUOTA = "The spending limit is reached. Raise it, then build again."


def alive(kind: type) -> int:
    """Chunks or rows of the texts below that are in memory now."""
    return sum(1 for one in gc.get_objects() if type(one) is kind and "heron" in one.text)


class Watching(CountingEmbedding):
    """Vectors that cost nothing to make; notes what is alive whenever it is asked, and how many texts at once."""

    _pieces: int = PrivateAttr(default=0)
    _rows: int = PrivateAttr(default=0)
    _most: int = PrivateAttr(default=0)

    def vector(self, text: str) -> list[float]:
        made = np.zeros(self.dimensions)
        made[zlib.crc32(text.encode()) % self.dimensions] = 1.0
        return [float(number) for number in made]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        self._pieces = max(self._pieces, alive(Piece))
        self._rows = max(self._rows, alive(ChunkRow))
        self._most = max(self._most, len(texts))
        return super()._get_text_embeddings(texts)

    @property
    def held(self) -> dict[str, int]:
        return {"pieces": self._pieces, "rows": self._rows, "texts": self._most}


def lines(count: int, seed: int) -> str:
    """A text of so many short chunks."""
    words = "the heron stands in the shallow water beside the old mill and waits for small fish to come"
    return "\n\n".join(f"Entry {seed} {number}: {words}, {words}." for number in range(count))


def many(chunks: int) -> list[Any]:
    return [file(f"{number}.txt", lines(250, number)) for number in range(chunks // 250)]


def one(chunks: int) -> list[Any]:
    return [file("large.txt", lines(chunks, 0))]


@pytest.mark.parametrize("load", [many, one])
def test_four_times_the_text_is_not_more_text_at_once(tmp_path, load):
    """While sources are read no chunk of them is held but the one being made; while they are written, one batch is."""
    gc.collect()  # what other tests left behind them is not held by this one
    held = []
    for chunks in (2_500, 10_000):
        model, reading = Watching(dimensions=8), []

        def heard(event, reading=reading):
            if event.stage is Stage.READ:
                reading.append(alive(Piece))

        book = notebook(tmp_path / str(chunks), model, batch_size=512)
        outcome = book.add(load(chunks), on_event=heard)
        assert outcome.chunks.total == outcome.chunks.embedded == opened(book).table.count == chunks
        assert max(reading) <= 1
        held.append(model.held)
    assert held[0]["pieces"] == held[1]["pieces"] <= GROUP
    assert held[0]["texts"] == held[1]["texts"] == 512
    assert held[1]["rows"] <= 10_000 // GROUP + 1  # one of each batch, to be looked at again


def test_a_large_source_is_the_same_in_several_batches(tmp_path):
    """Its chunks and places, their order, and what is said and noted of it: as if it had been written at once."""
    told, count = [], GROUP + 500
    book = notebook(tmp_path, Watching(dimensions=8), batch_size=512)
    outcome = book.add([file("a.txt", text_of(2, 1)), *one(count), file("z.txt", text_of(2, 2))], on_event=told.append)
    rows = [row for row in book.sources() if row.name == "large.txt"]
    assert [(row.chunks, row.embedded, row.why) for row in rows] == [(count, count, f"{count:,} chunks embedded")]
    found = opened(book).table.rows_of_source(rows[0].source_id)
    assert [row.ordinal for row in found] == list(range(count))
    assert "\n\n".join(row.text for row in found) == lines(count, 0)
    assert {row.language for row in found} == {"en"}
    said = [event.outcome for event in told if event.stage is Stage.EMBED and event.source == "large.txt"]
    assert said == [f"{count:,} chunks embedded"]
    assert outcome.verdict.receipt.texts == count + 4
    assert max(event.done for event in told if event.stage is Stage.EMBED) == count + 4


def test_a_large_source_is_replaced_whole_or_not_at_all(tmp_path):
    model, count = Watching(dimensions=8), GROUP + 500
    book = notebook(tmp_path, model, batch_size=512)
    book.add([*one(count), file("a.txt", text_of(2, 1))])
    reader = opened(book)
    before = hits(reader.search("heron"))
    changed = file("large.txt", lines(count, 1))
    model.fail(len(model.seen) + GROUP + 300, QuotaExceeded(QUOTA))  # in its second batch: the first is in the table
    with pytest.raises(QuotaExceeded):
        book.add([changed])
    model.fail(None)
    assert book.status().verdict.name is VerdictName.RESUMABLE
    assert hits(reader.search("heron")) == hits(opened(book).search("heron")) == before
    outcome = book.build()
    assert (outcome.verdict.name, outcome.chunks.total) == (VerdictName.RESUMED, count + 2)
    assert outcome.chunks.embedded < 1024  # the batches in flight, and what came after them
    table = opened(book).table
    assert table.count == count + 2
    source_id = next(row.source_id for row in book.sources() if row.name == "large.txt")
    assert "\n\n".join(row.text for row in table.rows_of_source(source_id)) == lines(count, 1)
    assert hits(open_snapshot(book, 1).search("heron")) == before


def test_a_text_in_two_batches_is_paid_for_once_and_for_the_first(tmp_path):
    model = Watching(dimensions=8)
    book = notebook(tmp_path, model, batch_size=512)
    repeated = "\n\n".join([lines(1_500, 0), lines(1_500, 0)])
    book.add([file("twice.txt", repeated), file("again.txt", lines(1_500, 0))])
    assert [(row.chunks, row.embedded) for row in book.sources()] == [(3_000, 1_500), (1_500, 0)]
    assert model.texts == 1_500 + 8

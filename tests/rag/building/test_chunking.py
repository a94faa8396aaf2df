"""Sources to chunks, chunks to batches, batches to rows."""

from __future__ import annotations

import numpy as np
import pytest

from rag.building.chunking import GROUP, batches, chunk_rows, read_each, spooled
from rag.building.results import Read
from rag.building.spool import Spool
from rag.errors import DamagedSource
from rag.reading.places import Page
from rag.reading.splitting import Piece
from rag.sources.rows import SourceRow
from tests.notebooks import paragraphs, settings, text_of


def row(name):
    return SourceRow(name, name, "", 0)


def piece(ordinal, text="Owls hunt at night, and mice know it well.", **fields):
    return Piece(ordinal, text, 0, 1, None, None, (), text, **fields)


def read_of(spool, count, name="a"):
    kept = spool.put((), (piece(number) for number in range(count)))
    return Read(row(name), kept.chunks, "text/plain", kept=kept)


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path) as one:
        yield one


def test_sources_are_read_one_after_the_other_and_failures_are_said(tmp_path, spool):
    paths = {name: tmp_path / name for name in ("a.txt", "bad.txt", "gone.txt", "b.txt")}
    paths["a.txt"].write_text(text_of(3, 1))
    paths["bad.txt"].write_bytes(b"")
    paths["b.txt"].write_text(text_of(2, 2))

    def path_of(one):
        if one.name == "gone.txt":
            raise DamagedSource("It is gone.")
        return paths[one.name]

    texts = read_each([row(name) for name in paths], path_of, settings(tmp_path))
    reads = [spooled(text, spool) for text in texts]
    assert [(read.row.name, read.chunks, bool(read.failure)) for read in reads] == [
        ("a.txt", 3, False),
        ("bad.txt", 0, True),
        ("gone.txt", 0, True),
        ("b.txt", 2, False),
    ]
    assert reads[2].failure == "It is gone."
    assert [one.text for one in spool.pieces(reads[0].kept)] == paragraphs(3, 1)


def test_batches_are_whole_sources_and_a_large_source_is_in_several(spool):
    sizes = [10, GROUP, 5, GROUP - 5, 1, 2 * GROUP + 3, 2]
    reads = [read_of(spool, size, str(number)) for number, size in enumerate(sizes)]
    found = [[(part.read.row.name, len(part.pieces)) for part in batch] for batch in batches(reads, spool)]
    assert found == [
        [("0", 10)],
        [("1", GROUP)],
        [("2", 5), ("3", GROUP - 5)],
        [("4", 1)],
        [("5", GROUP)],
        [("5", GROUP)],
        [("5", 3), ("6", 2)],
    ]
    parts = [part for batch in batches(reads, spool) for part in batch if part.read.row.name == "5"]
    assert [(part.first, part.last) for part in parts] == [(True, False), (False, False), (False, True)]
    assert [one.ordinal for part in parts for one in part.pieces] == list(range(2 * GROUP + 3))
    assert list(batches([], spool)) == []


def test_the_language_of_a_large_source_is_told_by_samples_from_all_over_it(spool):
    german = "Die Eulen jagen in der Nacht, und die Mäuse wissen das sehr genau und verstecken sich."
    texts = [german if number >= GROUP else "Owls hunt at night, and mice know it." for number in range(GROUP + 900)]
    kept = spool.put((), (piece(number, text) for number, text in enumerate(texts)))
    read = Read(row("a"), kept.chunks, "text/plain", kept=kept)
    vectors = {b"k": np.ones(2, np.float32)}
    rows = [
        one
        for batch in batches([read], spool)
        for part in batch
        for one in chunk_rows(part, [b"k"] * len(part.pieces), vectors, "r")
    ]
    assert [rows[at].language for at in (0, GROUP - 1, GROUP, GROUP + 899)] == ["en", "en", "de", "de"]
    assert len({one.id for one in rows}) == len(texts)


def test_a_row_says_where_its_chunk_stands(spool):
    pages = (Page(1, 0, 50), Page(2, 50, 90), Page(3, 90, 120))
    spanning = Piece(0, "Text over pages.", 40, 95, 1, 3, ("Top", "Below"), "Top\nText over pages.")
    kept = spool.put(pages, [spanning])
    read = Read(row("a"), 1, "application/pdf", kept=kept)
    ((part,),) = batches([read], spool)
    (made,) = chunk_rows(part, [b"k"], {b"k": np.ones(2, np.float32)}, "r")
    assert (made.heading, made.page, made.page_end, made.start, made.end) == ("Top › Below", 1, 3, 40, 95)
    assert made.metadata == {
        "source_id": "a",
        "media_type": "application/pdf",
        "page": 1,
        "pages": [[1, 0], [2, 50], [3, 90]],
        "heading": "Top › Below",
    }

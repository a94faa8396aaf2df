"""Filters of a search: source, type, date, pages, own tags."""

from __future__ import annotations

import numpy as np
import pytest

from rag.asking.restricting import rows_meeting
from rag.errors import NotFound
from rag.sources.restriction import LAST_PAGE, Restriction
from rag.sources.rows import SourceRow
from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable

SOURCES = [
    SourceRow("a", "manual.pdf", "", 1, media_type="application/pdf", added="2026-01-01T10:00:00.000Z"),
    SourceRow("b", "notes.md", "", 1, media_type="text/markdown", added="2026-03-01T10:00:00.000Z"),
    SourceRow("c", "page.html", "", 1, media_type="text/html", added="2026-03-02T10:00:00.000Z"),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    unit = np.eye(1, 8, dtype=np.float32)[0]
    table = ChunkTable.create(tmp_path_factory.mktemp("restricted"), "t", 8, "")
    pages = [{"page": 1}, {"page": 2, "pages": [[2, 0], [3, 90], [4, 190]]}, {"page": 5}]
    rows = [ChunkRow(f"a{n}", "a", n, "owls hunt", metadata=one, vector=unit) for n, one in enumerate(pages)]
    rows += [ChunkRow(f"{one}0", one, 0, "owls hunt", vector=unit) for one in ("b", "c")]
    table.upsert(rows)
    return table.reader()


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Restriction(sources=("manual.pdf",)), "a0 a1 a2"),
        (Restriction(sources=("notes.md", "*.html")), "b0 c0"),
        (Restriction(types=("pdf",)), "a0 a1 a2"),
        (Restriction(types=(".PDF",)), "a0 a1 a2"),
        (Restriction(types=("text",)), "b0 c0"),
        (Restriction(types=("text/html", "md")), "b0 c0"),
        (Restriction(types=("docx",)), ""),
        (Restriction(since="2026-03-01"), "b0 c0"),
        (Restriction(since="2026-03-01T10:00:01"), "c0"),
        (Restriction(pages=(1, 1)), "a0"),
        (Restriction(pages=(3, 3)), "a1"),
        (Restriction(pages=(4, 9)), "a1 a2"),
        (Restriction(sources=("notes.md",), pages=(1, 9)), ""),
        (Restriction(types=("pdf",), since="2025-12-31", pages=(2, 5)), "a1 a2"),
    ],
)
def test_only_what_fits_is_left(reader, only, expected):
    rows = rows_meeting(only, reader, SOURCES)
    assert [reader.ids()[number] for number in rows] == expected.split()


def test_nothing_asked_leaves_everything(reader):
    assert rows_meeting(Restriction(), reader, SOURCES) is None


def test_an_unknown_source_is_named(reader):
    with pytest.raises(NotFound, match=r"no source 'other.txt' .* It has: manual.pdf, notes.md, page.html"):
        rows_meeting(Restriction(sources=("other.txt",)), reader, SOURCES)


TAGGED = {"a": ("Finance", "2026"), "b": ("tax",), "gone": ("old",)}


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Restriction(tags=("finance",)), "a0 a1 a2"),
        (Restriction(tags=("TAX", "finance")), "a0 a1 a2 b0"),
        (Restriction(tags=("tax",), types=("pdf",)), ""),
        (Restriction(tags=("2026",), pages=(1, 1)), "a0"),
        (Restriction(tags=("old",)), ""),
    ],
)
def test_only_what_is_tagged_is_left(reader, only, expected):
    rows = rows_meeting(only, reader, SOURCES, TAGGED)
    assert [reader.ids()[number] for number in rows] == expected.split()


def test_an_unknown_tag_is_told_with_those_there_are(reader):
    with pytest.raises(NotFound, match=r"has the tag 'taxes'. There are: 2026, Finance, old, tax\."):
        rows_meeting(Restriction(tags=("tax", "taxes")), reader, SOURCES, TAGGED)
    with pytest.raises(NotFound, match="No source has a tag yet"):
        rows_meeting(Restriction(tags=("tax",)), reader, SOURCES)


@pytest.mark.parametrize(
    ("only", "words"),
    [
        (Restriction(tags=("finance", "tax")), "tagged finance or tax"),
        (
            Restriction(("a.md",), ("pdf",), "2026-01-01", (3, 3), ("x",)),
            "a.md, of type pdf, tagged x, on page 3, added since 2026-01-01",
        ),
        (Restriction(pages=(3, LAST_PAGE)), "from page 3 on"),
        (Restriction(since="2026-01-01T00:00:00"), "added since 2026-01-01"),
        (Restriction(since="2026-01-01T22:30:00"), "added since 2026-01-01 22:30:00 UTC"),
    ],
)
def test_what_it_leaves_is_said(only, words):
    assert only.words == words

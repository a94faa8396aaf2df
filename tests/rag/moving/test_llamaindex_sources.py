"""Chunks of llama-index put together to the texts they were cut from."""

from __future__ import annotations

from typing import Any

import pytest

from rag.moving.llamaindex_files import StoredNode
from rag.moving.llamaindex_sources import AdoptedSource, sources_of


def node(
    text: str, start: int | None = None, document: str = "d", end: int | None = None, **metadata: Any
) -> StoredNode:
    last = start + len(text) if start is not None and end is None else end
    return StoredNode(f"{document}-{text}", text, text, metadata, document, start, last)


def only(*nodes: StoredNode) -> AdoptedSource:
    (source,) = sources_of(nodes)
    for placed in source.chunks:
        assert source.text[placed.start : placed.end] == placed.node.text
    assert sorted(placed.number for placed in source.chunks) == list(range(len(nodes)))
    return source


def test_chunks_that_overlap_are_laid_over_each_other() -> None:
    source = only(node("one two", 0), node("two three", 4), node("end", 20))
    assert source.text == "one two three\n\n\n\n\n\n\nend"
    assert [placed.start for placed in source.chunks] == [0, 4, 20]


def test_the_order_of_the_text_counts_and_not_that_of_the_index() -> None:
    source = only(node("two", 4), node("one ", 0))
    assert source.text == "one two"
    assert [placed.number for placed in source.chunks] == [1, 0]


@pytest.mark.parametrize(
    "second",
    [
        node("two"),
        node("two", -1),
        node("two", 4, end=9),
        node("other", 2),
        node("far", 2000),
    ],
    ids=["no place", "before the text", "of another length", "another text there", "with a hole before"],
)
def test_places_that_do_not_fit_are_not_believed(second: StoredNode) -> None:
    source = only(node("one two", 0), second)
    assert source.text == f"one two\n\n{second.text}"


def test_documents_of_one_file_are_one_source_by_their_pages() -> None:
    pages = [node(f"page {n}", 0, f"p{n}", file_path="/x/a.pdf", file_name="a.pdf", page_label=n) for n in (3, 1, 2)]
    source = only(*pages)
    assert source.text == "page 1\n\npage 2\n\npage 3"
    assert [placed.page for placed in source.chunks] == [1, 2, 3]
    assert source.name == "a.pdf.txt"


@pytest.mark.parametrize(
    ("label", "page"),
    [
        ("7", 7),
        (7, 7),
        ("0", None),
        ("iv", None),
        ("-1", None),
        ("²", None),
        ("", None),
        ("9" * 30, None),
        (None, None),
    ],
)
def test_a_page_is_a_number_that_a_page_may_have(label: object, page: int | None) -> None:
    (placed,) = only(node("x", 0, page_label=label)).chunks
    assert placed.page == page


def test_every_source_has_a_name_of_its_own_that_is_read_as_text() -> None:
    found = sources_of(
        [
            node("a", 0, "1", file_path="/x/notes.md"),
            node("b", 0, "2", file_path="/y/notes.md"),
            node("c", 0, "3", file_path="C:\\docs\\Report.PDF"),
            node("d", 0, "4", file_name="notes.md"),
            node("e", 0, "5", file_path=7, file_name=""),
            node("f", 0, ""),
            node("g", 0, "6", file_name="x" * 300),
        ]
    )
    names = [source.name for source in found]
    assert names[:6] == ["notes.md", "notes (2).md", "Report.PDF.txt", "notes (3).md", "5.txt", "llama-index.txt"]
    assert names[6].endswith(".txt")
    assert len(set(names)) == 7


@pytest.mark.parametrize(
    ("metadata", "heading"),
    [
        ({"header_path": "/A/B/"}, "A › B"),
        ({"header_path": "/"}, ""),
        ({"heading": "Top › In"}, "Top › In"),
        ({"header_path": 3, "heading": ["x"]}, ""),
        ({"heading": "x" * 900}, "x" * 500),
        ({"header_path": "y" * 900}, "y" * 500),
    ],
)
def test_headings_of_both_kinds(metadata: dict[str, Any], heading: str) -> None:
    (placed,) = only(node("x", 0, **metadata)).chunks
    assert placed.heading == heading


def test_no_nodes_are_no_sources() -> None:
    assert sources_of([]) == []

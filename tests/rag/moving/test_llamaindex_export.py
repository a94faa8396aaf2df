"""What we write for llama-index, opened by stock llama-index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import StorageContext, load_index_from_storage
from llama_index.core.vector_stores import ExactMatchFilter, MetadataFilters

from rag.errors import AlreadyExists, NotFound
from rag.moving.llamaindex_export import export_llamaindex
from rag.moving.llamaindex_import import import_llamaindex
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, opened, text_of
from tests.rag.moving.stock import QUESTION


def test_stock_llama_index_opens_what_we_write_with_equal_results(tmp_path: Path) -> None:
    """Same ids in the same order, scores to 1e-6; filters work; the text to embed is the text alone."""
    model = CountingEmbedding()
    book = notebook(tmp_path / "home", model)
    book.add([file("a.md", "# Head\n\n" + text_of(12, 1)), file("b.txt", text_of(12, 2))])
    written = export_llamaindex(book, tmp_path / "out")
    assert (written.chunks, written.snapshot, written.dimensions) == (24, 1, 64)
    index: Any = load_index_from_storage(
        StorageContext.from_defaults(persist_dir=str(tmp_path / "out")), embed_model=model
    )
    for question in (QUESTION, "violin", "Head"):
        theirs = index.as_retriever(similarity_top_k=10).retrieve(question)
        ours = opened(book).index.as_retriever(similarity_top_k=10).retrieve(question)
        assert [one.node_id for one in theirs] == [one.node_id for one in ours]
        assert [one.score for one in theirs] == pytest.approx([one.score for one in ours], abs=1e-6)
        assert [one.text for one in theirs] == [one.text for one in ours]
    assert {one.metadata["file_name"] for one in theirs} <= {"a.md", "b.txt"}
    only = MetadataFilters(filters=[ExactMatchFilter(key="file_name", value="b.txt")])
    filtered = index.as_retriever(similarity_top_k=20, filters=only).retrieve(QUESTION)
    assert len(filtered) == 12
    assert theirs[0].node.get_content(metadata_mode="embed") == theirs[0].text
    assert json.loads((tmp_path / "out" / "ragbook.json").read_text())["space"]["model"] == "counting"


def test_there_and_back_again(tmp_path: Path) -> None:
    """What we wrote for llama-index can be adopted again, with the same texts and scores."""
    model = CountingEmbedding()
    book = notebook(tmp_path / "home", model)
    book.add([file("a.md", "# Head\n\n" + text_of(12, 1)), file("b.txt", text_of(12, 2))])
    export_llamaindex(book, tmp_path / "out")
    back = notebook(tmp_path / "home", model, slug="back")
    adopted = import_llamaindex(back, tmp_path / "out")
    assert adopted.snapshot == 1
    assert {row.name for row in back.sources()} == {"a.md", "b.txt"}
    ours = opened(book).index.as_retriever(similarity_top_k=10).retrieve(QUESTION)
    again = opened(back).index.as_retriever(similarity_top_k=10).retrieve(QUESTION)
    assert opened(back).search("Head").passages[0].heading == opened(book).search("Head").passages[0].heading == "Head"
    assert [(one.text, one.score) for one in again] == [(one.text, pytest.approx(one.score)) for one in ours]


def test_an_export_for_llama_index_overwrites_nothing(tmp_path: Path) -> None:
    """Nothing built, a folder with something in it, no folder to write in: refused, and nothing is left."""
    book = notebook(tmp_path / "home", CountingEmbedding())
    with pytest.raises(NotFound):
        export_llamaindex(book, tmp_path / "out")
    book.add([file("a.txt", text_of(3, 1))])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AlreadyExists):
        export_llamaindex(book, tmp_path / "full")
    with pytest.raises(NotFound):
        export_llamaindex(book, tmp_path / "none" / "out")
    export_llamaindex(book, tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full", "home"]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]

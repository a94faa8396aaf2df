"""To and from llama-index's own folders, written and opened by stock llama-index."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.vector_stores import ExactMatchFilter, MetadataFilters

from rag.errors import AlreadyExists, Damaged, NotFound, SourceTooLarge
from rag.manifest import VerdictName
from rag.moving.llamaindex_export import export_llamaindex
from rag.moving.llamaindex_import import import_llamaindex
from rag.storage.ledger import Ledger
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, opened, text_of
from tests.rag.moving.archives import everything_below

QUESTION = "river stone bridge over the lantern"


def persisted(folder: Path, model: BaseEmbedding, documents: list[Document]) -> VectorStoreIndex:
    """An index that stock llama-index made and wrote."""
    index = VectorStoreIndex.from_documents(
        documents, embed_model=model, transformations=[SentenceSplitter(chunk_size=96, chunk_overlap=8)]
    )
    index.storage_context.persist(str(folder))
    return index


def pages() -> list[Document]:
    """A PDF as llama-index reads it, one document per page, and a text of the same name from another folder."""
    return [
        *(
            Document(
                text=text_of(6, page), metadata={"file_name": "a.pdf", "file_path": "/x/a.pdf", "page_label": str(page)}
            )
            for page in (2, 1)
        ),
        Document(text=text_of(4, 7), metadata={"file_name": "a.pdf", "file_path": "/y/a.pdf"}),
        Document(text="Ein Satz über Köln. 水は百度で沸騰する。", doc_id="bare"),
    ]


def test_an_index_of_the_same_model_is_adopted_with_its_vectors(tmp_path: Path) -> None:
    """Five texts and the canary are paid for; chunks, places and scores are llama-index's; the verdict says why a
    build would differ, and the build pays what was said beforehand."""
    model = CountingEmbedding()
    index = persisted(tmp_path / "li", model, pages())
    ours = CountingEmbedding()
    book = notebook(tmp_path / "home", ours, usd_per_million_tokens=2.0)
    adopted = import_llamaindex(book, tmp_path / "li")
    assert adopted.snapshot == 1
    lines = list(Ledger(book.place.objects).entries())
    assert [(one.purpose, one.texts, one.snapshot) for one in lines] == [("adopt", 5, 1), ("canary", 8, 1)]
    assert sum(one.tokens for one in lines) == adopted.receipt.tokens
    assert adopted.agreement == pytest.approx(1.0)
    assert (ours.texts, adopted.receipt.texts, adopted.receipt.canary_texts) == (13, 5, 8)

    verdict = book.status().verdict
    assert verdict.name is VerdictName.OTHER_RECIPE
    assert "way of cutting chunks: llama-index import → structure/2" in [str(change) for change in verdict.changes]
    rows = {row.source_id: row for row in book.sources()}
    assert [row.name for row in rows.values()] == ["a.pdf.txt", "a.pdf (2).txt", "bare.txt"]
    snapshot = opened(book)
    reader = snapshot.table.reader()
    for row in reader.rows_at(range(reader.count)):
        original = book.place.originals.path(rows[row.source_id].digest).read_text("utf-8")
        assert original[row.start : row.end] == row.text
        assert row.page == (int(row.metadata["page_label"]) if "page_label" in row.metadata else None)
    first = book.place.originals.path(next(iter(rows.values())).digest).read_text("utf-8")
    assert first.index(text_of(6, 1)[:40]) < first.index(text_of(6, 2)[:40])

    found = snapshot.index.as_retriever(similarity_top_k=6).retrieve(QUESTION)
    theirs = index.as_retriever(similarity_top_k=6).retrieve(QUESTION)
    assert [one.text for one in found] == [one.text for one in theirs]
    assert [one.score for one in found] == pytest.approx([one.score for one in theirs], abs=1e-6)

    outcome = book.build()
    assert outcome.verdict.name is VerdictName.REBUILT
    assert outcome.verdict.receipt.texts == adopted.needed.texts
    assert book.status().verdict.name is VerdictName.HIT


@pytest.mark.parametrize("other", [{"seed": 3}, {"dimensions": 32}])
def test_vectors_of_another_model_are_left_behind(tmp_path: Path, other: dict[str, int]) -> None:
    """The texts come in, no snapshot is published, and the report says what a build embeds."""
    persisted(tmp_path / "li", CountingEmbedding(), pages())
    model = CountingEmbedding(**other)
    book = notebook(tmp_path / "home", model)
    adopted = import_llamaindex(book, tmp_path / "li")
    assert adopted.snapshot is None
    assert model.texts == 5
    assert "without vectors" in adopted.sentence
    assert book.status().verdict.name is VerdictName.NEW
    assert not book.place.spaces.all()
    outcome = book.build()
    assert outcome.verdict.name is VerdictName.BUILT
    assert outcome.verdict.receipt.texts == adopted.needed.texts
    assert f"{adopted.needed.texts} texts" in adopted.sentence


def test_a_notebook_with_sources_is_not_imported_into(tmp_path: Path) -> None:
    """Nothing is mixed into an index that is there."""
    persisted(tmp_path / "li", CountingEmbedding(), pages())
    book = notebook(tmp_path / "home", CountingEmbedding())
    book.add([file("mine.txt", text_of(2, 1))])
    before = everything_below(tmp_path / "home")
    with pytest.raises(AlreadyExists, match="--notebook"):
        import_llamaindex(book, tmp_path / "li")
    assert {**everything_below(tmp_path / "home")} == before


def _vectors(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "default__vector_store.json"
    body = json.loads(path.read_text())
    change(body["embedding_dict"])
    path.write_text(json.dumps(body))


def _nodes(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "docstore.json"
    body = json.loads(path.read_text())
    change(body["docstore/data"])
    path.write_text(json.dumps(body))


def _first(body: dict[str, Any]) -> Any:
    return next(iter(body.values()))


BROKEN: dict[str, Callable[[Path], object]] = {
    "torn vectors": lambda d: os.truncate(d / "default__vector_store.json", 3000),
    "empty vectors": lambda d: os.truncate(d / "default__vector_store.json", 0),
    "torn docstore": lambda d: os.truncate(d / "docstore.json", 500),
    "list": lambda d: (d / "docstore.json").write_text("[]"),
    "data is a list": lambda d: (d / "docstore.json").write_text('{"docstore/data": []}'),
    "nothing": lambda d: (d / "docstore.json").write_text("{}"),
    "deep": lambda d: (d / "docstore.json").write_text('{"docstore/data": ' + "[" * 200_000),
    "not text": lambda d: (d / "docstore.json").write_bytes(b"\x80\x04\x95pickle"),
    "a vector of words": lambda d: _vectors(d, lambda v: v.update({next(iter(v)): ["a", "b"]})),
    "a vector of truths": lambda d: _vectors(d, lambda v: v.update({next(iter(v)): [True, False]})),
    "a vector is an object": lambda d: _vectors(d, lambda v: v.update({next(iter(v)): {"0": 1.0}})),
    "a node is a word": lambda d: _nodes(d, lambda n: n.update({next(iter(n)): "node"})),
    "a node without text": lambda d: _nodes(d, lambda n: _first(n)["__data__"].update(text={})),
    "a node of no kind": lambda d: _nodes(d, lambda n: _first(n).update(__type__="evil")),
    "a template that fills the memory": lambda d: _nodes(
        d, lambda n: _first(n)["__data__"].update(metadata_template="{key:>9999999999}")
    ),
    "a template that looks inside": lambda d: _nodes(
        d, lambda n: _first(n)["__data__"].update(text_template="{content.__class__}")
    ),
}


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that llama-index wrote."""
    folder = tmp_path_factory.mktemp("stock") / "li"
    persisted(folder, CountingEmbedding(), pages())
    return folder


@pytest.mark.parametrize("what", BROKEN)
def test_broken_folders_get_a_sentence(stock: Path, tmp_path: Path, what: str) -> None:
    """Nothing is called, nothing is left behind, no traceback."""
    import shutil

    shutil.copytree(stock, tmp_path / "li")
    BROKEN[what](tmp_path / "li")
    with pytest.raises(Damaged) as caught:
        import_llamaindex(notebook(tmp_path / "home"), tmp_path / "li")
    assert ".json" in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not (tmp_path / "home").exists()


def test_vectors_that_are_none_cost_only_themselves(stock: Path, tmp_path: Path) -> None:
    """Zero, infinite, of two lengths, or not there: the texts are imported without a call."""
    import shutil

    for number, change in enumerate(
        (
            lambda v: v.update({next(iter(v)): [0.0] * 64}),
            lambda v: v.update({next(iter(v)): [float("inf")] * 64}),
            lambda v: v.update({next(iter(v)): [1e300] * 64}),
            lambda v: v.update({next(iter(v)): [1.0]}),
            lambda v: v.clear(),
        )
    ):
        folder = tmp_path / f"li{number}"
        shutil.copytree(stock, folder)
        _vectors(folder, change)
        adopted = import_llamaindex(notebook(tmp_path / f"home{number}"), folder)
        assert (adopted.snapshot, adopted.receipt.calls, adopted.sources) == (None, 0, 3)


def test_nodes_without_a_vector_are_counted(stock: Path, tmp_path: Path) -> None:
    """Parents of chunks have none, and neither has what a crash of persist() left: said, never silent."""
    import shutil

    shutil.copytree(stock, tmp_path / "li")
    _vectors(tmp_path / "li", lambda v: v.pop(next(iter(v))))
    adopted = import_llamaindex(notebook(tmp_path / "home", CountingEmbedding()), tmp_path / "li")
    assert adopted.snapshot == 1
    assert adopted.left_out == 1
    assert "1 node without" in adopted.sentence


def test_pickles_and_huge_files_are_not_read(stock: Path, tmp_path: Path) -> None:
    """Only the JSON files that llama-index writes; one of five gigabytes (of nothing) is refused by its size."""
    import shutil

    shutil.copytree(stock, tmp_path / "li")
    (tmp_path / "li" / "docstore.json").unlink()
    (tmp_path / "li" / "docstore.pkl").write_bytes(b"cos\nsystem\n(S'touch /tmp/x'\ntR.")
    with pytest.raises(NotFound):
        import_llamaindex(notebook(tmp_path / "home"), tmp_path / "li")
    with (tmp_path / "li" / "docstore.json").open("wb") as sparse:
        sparse.truncate(5 << 30)
    with pytest.raises(SourceTooLarge):
        import_llamaindex(notebook(tmp_path / "home"), tmp_path / "li")
    assert not (tmp_path / "home").exists()


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

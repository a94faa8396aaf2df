"""Opening a snapshot: what llama-index gets, which snapshot answers, and where a source's text comes from."""

from __future__ import annotations

import threading

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters

from rag.errors import Damaged, ModelError, NotFound, RagbookError
from rag.home.pinned import HASHED_AT_OPENING
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, notebook, opened, paragraphs, text_of


@pytest.fixture
def model():
    return CountingEmbedding()


@pytest.fixture
def book(tmp_path, model):
    made = notebook(tmp_path, model)
    made.add([file("a.txt", text_of(4, 1)), file("b.txt", text_of(4, 2))])
    return made


def test_llama_index_gets_its_own_kinds_of_things(book, model):
    snapshot = opened(book)
    assert isinstance(snapshot.storage_context, StorageContext)
    assert isinstance(snapshot.index, VectorStoreIndex)
    assert snapshot.index.vector_store is snapshot.storage_context.vector_store
    calls = model.calls
    found = snapshot.index.as_retriever(similarity_top_k=3).retrieve(paragraphs(1, 1)[0])
    assert model.calls == calls + 2  # the canary and the question
    assert len(found) == 3
    assert found[0].node.get_content() == paragraphs(1, 1)[0]
    assert found[0].score == pytest.approx(1.0, abs=1e-5)
    (source_id,) = [key for key, name in snapshot.names.items() if name == "b.txt"]
    only = MetadataFilters(filters=[MetadataFilter(key="source_id", value=source_id)])
    filtered = snapshot.index.as_retriever(similarity_top_k=3, filters=only).retrieve(paragraphs(1, 1)[0])
    assert {one.node.metadata["source_id"] for one in filtered} == {source_id}


def test_a_snapshot_takes_no_documents(book, model):
    texts = model.texts
    snapshot = opened(book)
    with pytest.raises(RagbookError):
        snapshot.index.insert_nodes([TextNode(text="A new thing.")])
    with pytest.raises(ModelError, match="never changes"):
        snapshot.index._embed_model.get_text_embedding("A new thing.")
    assert model.texts == texts
    assert opened(book).table.count == 8


def test_a_flipped_bit_that_opening_leaves_unread_is_found_before_the_first_answer(tmp_path):
    """In a file beyond what opening hashes: the first search names it, and an older snapshot answers from then on."""
    wide = notebook(tmp_path, CountingEmbedding(dimensions=1536))
    wide.add([file("small.txt", text_of(4, 1))])
    wide.add([file("large.txt", text_of(800, 2))])
    manifest = wide.place.snapshots.get(2)
    path, size = max(((wide.place.folder / manifest.tables["chunks"].path / one.path, one.size)
                      for one in manifest.tables["chunks"].files), key=lambda one: one[1])  # fmt: skip
    assert size > HASHED_AT_OPENING
    whole = path.read_bytes()
    content = bytearray(whole)
    content[size // 2] ^= 1
    path.write_bytes(content)
    first = open_snapshot(notebook(tmp_path, CountingEmbedding(dimensions=1536)))
    assert first.snapshot == 2
    with pytest.raises(Damaged, match="other bytes than were written"):
        first.search("river stone")
    assert wide.status().verdict.name is VerdictName.DAMAGED
    second = open_snapshot(notebook(tmp_path, CountingEmbedding(dimensions=1536)))
    assert second.snapshot == 1
    assert path.name in second.problems[0]
    assert second.search("river stone").passages
    path.write_bytes(whole)
    assert wide.status().verdict.name is VerdictName.HIT
    assert open_snapshot(wide).search("river stone").snapshot == 2


def test_older_snapshots_open_by_number(book):
    first = hits(opened(book).search("river stone"))
    book.add([file("c.txt", text_of(4, 3))])
    assert opened(book).snapshot == 2
    assert hits(open_snapshot(book, 1).search("river stone")) == first
    assert open_snapshot(book, 1).names.keys() < opened(book).names.keys()
    with pytest.raises(NotFound, match="no snapshot 9"):
        open_snapshot(book, 9)


def test_a_damaged_number_is_refused_and_a_damaged_head_passed_over(book):
    book.add([file("c.txt", text_of(4, 3))])
    path = book.place.folder / "manifests" / "00000002.json"
    path.write_bytes(b"{")
    with pytest.raises(Damaged):
        open_snapshot(book, 2)
    found = opened(book)
    assert found.snapshot == 1
    assert "00000002.json" in found.problems[0]


def test_the_text_of_a_source_is_put_together_from_its_chunks(book):
    snapshot = opened(book)
    (source_id,) = [key for key, name in snapshot.names.items() if name == "a.txt"]
    text = text_of(4, 1).strip()
    assert snapshot.source_text(source_id, 0, 100_000) == text
    for start, end in ((0, 10), (5, 400), (len(text) - 20, len(text))):
        assert snapshot.source_text(source_id, start, end) == text[start:end]
    assert snapshot.source_text(source_id, 50_000, 60_000) == ""
    assert snapshot.source_text("unknown", 0, 10) == ""


def test_threads_share_one_open_snapshot(book, model):
    snapshot = opened(book)
    expected = hits(opened(book).search("river stone"))
    results, queries = [], model.queries

    def search():
        results.append(hits(snapshot.search("river stone")))

    threads = [threading.Thread(target=search) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 8
    assert model.queries == queries + 1

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from rag.errors import NotFound, NotWritable, VectorInvalid
from rag.llamaindex.vector_store import LanceVectorStore
from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable

Mode = VectorStoreQueryMode


def node(name: str, source: str = "doc", text: str = "a dog", embedding: list[float] | None = None, **more: Any) -> Any:
    return TextNode(
        id_=name,
        text=text,
        embedding=embedding or [1.0, 0.0, 0.0],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=source)},
        **more,
    )


def ids(store: LanceVectorStore, k: int = 100, embedding: list[float] | None = None, **more: Any) -> list[str]:
    query = VectorStoreQuery(query_embedding=embedding or [1.0, 0.0, 0.0], similarity_top_k=k, **more)
    return store.query(query).ids or []


def where(key: str, value: Any, operator: FilterOperator = FilterOperator.EQ) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


@pytest.fixture
def store(tmp_path: Path) -> LanceVectorStore:
    return LanceVectorStore.at(tmp_path)


@pytest.fixture
def animals(store: LanceVectorStore) -> LanceVectorStore:
    store.add(
        [
            node("dog", "mammals", "The dog barks at night", [1.0, 0.1, 0.0], metadata={"legs": 4, "page": 1}),
            node("cat", "mammals", "The cat sleeps at night", [0.9, 0.4, 0.0], metadata={"legs": 4, "page": 2}),
            node("man", "mammals", "A man reads about a dog", [0.0, 1.0, 0.0], metadata={"legs": 2}),
            node("hen", "birds", "The hen wakes early", [0.0, 0.0, 1.0], metadata={"legs": 2, "page": 1}),
            node("eel", "fish", "Eels swim", [-1.0, 0.0, 0.0]),
        ]
    )
    return store


# ---------------------------------------------------------------- nodes

NODES: list[Callable[[], BaseNode]] = [
    lambda: TextNode(
        id_="t",
        text="Ünïcode\n日本 🙂 'x'",
        metadata={"b": 1, "a": [1, {"c": None}], "f": 1.5, "t": True},
        excluded_embed_metadata_keys=["b"],
        excluded_llm_metadata_keys=["a"],
        start_char_idx=3,
        end_char_idx=17,
        text_template="{metadata_str}|{content}",
        metadata_template="{key}={value}",
        metadata_separator=";",
        mimetype="text/markdown",
        relationships={
            NodeRelationship.SOURCE: RelatedNodeInfo(node_id="doc", metadata={"x": 1}, hash="h"),
            NodeRelationship.PREVIOUS: RelatedNodeInfo(node_id="p"),
            NodeRelationship.CHILD: [RelatedNodeInfo(node_id="c1"), RelatedNodeInfo(node_id="c2")],
        },
    ),
    lambda: TextNode(id_="bare"),
    lambda: Document(id_="d", text="a document", metadata={"file": "x.pdf"}),
    lambda: Node(id_="n", text_resource=MediaResource(text="resource", mimetype="text/plain"), extra_info={"k": "v"}),
    lambda: Node(id_="textless", image_resource=MediaResource(path=Path("/x.png"))),
    lambda: ImageNode(id_="i", text="caption", image_path="/x.png"),
    lambda: IndexNode(id_="x", text="points", index_id="other"),
]


@pytest.mark.parametrize("make", NODES, ids=lambda make: make().node_id)
def test_nodes_come_back_as_they_were(store: LanceVectorStore, make: Callable[[], BaseNode]) -> None:
    given_node = make()
    given_node.embedding = [0.0, 3.0, 4.0]
    assert store.add([given_node]) == [given_node.node_id]
    for opened in (store, LanceVectorStore.at(store.folder)):
        (found,) = opened.get_nodes([given_node.node_id])
        queried = opened.query(VectorStoreQuery(query_embedding=[0, 3, 4], similarity_top_k=1)).nodes
        assert queried == [found]
        assert type(found) is type(given_node)
        assert found.embedding is None
        assert found.hash == given_node.hash
        assert found.ref_doc_id == given_node.ref_doc_id
        assert list(found.metadata) == list(given_node.metadata)
        for mode in MetadataMode:
            assert found.get_content(mode) == given_node.get_content(mode)
        found.embedding = given_node.embedding
        assert found == given_node


@settings(max_examples=15)
@given(
    name=st.text(min_size=1, max_size=20),
    text=st.text(max_size=40),
    source=st.text(min_size=1, max_size=20),
    metadata=st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers() | st.none(), max_size=3),
)
def test_any_text_survives(name: str, text: str, source: str, metadata: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LanceVectorStore.at(folder)
        store.add([node(name, source, text, metadata=metadata), node(name + "2", source + "2")])
        (found,) = store.get_nodes([name])
        assert (found.node_id, found.get_content(), found.ref_doc_id) == (name, text, source)
        assert found.metadata == metadata
        store.delete(source)
        assert [one.node_id for one in store.get_nodes()] == [name + "2"]


def test_rows_of_the_pipeline_are_nodes(tmp_path: Path) -> None:
    table = ChunkTable.create(tmp_path, "chunks", 2, "space")
    unit = np.array([1, 0], dtype=np.float32)
    row = ChunkRow("c", "src", 0, "words", page=3, start=5, end=10, metadata={"k": 1}, vector=unit)
    table.replace(["src"], [row])
    (found,) = LanceVectorStore.over(table).get_nodes(["c"])
    assert isinstance(found, TextNode)
    assert (found.text, found.ref_doc_id, found.metadata) == ("words", "src", {"k": 1})
    assert (found.start_char_idx, found.end_char_idx) == (5, 10)
    found.metadata["k"] = 2  # nobody else's copy
    assert LanceVectorStore.over(table).get_nodes(["c"])[0].metadata == {"k": 1}


# ---------------------------------------------------------------- add and delete


def test_add_replaces_and_is_idempotent(store: LanceVectorStore) -> None:
    assert store.add([node("a", text="one"), node("b")]) == ["a", "b"]
    assert store.add([node("a", text="one"), node("b")]) == ["a", "b"]
    store.add([node("a", text="two", embedding=[0, 1, 0]), node("a", text="three", embedding=[0, 2, 0])])
    assert [one.get_content() for one in store.get_nodes(["b", "a"])] == ["a dog", "three"]
    assert ids(store, embedding=[0, 1, 0]) == ["a", "b"]
    assert store.add([]) == []


def test_vectors_that_cannot_be_are_refused(store: LanceVectorStore) -> None:
    for bad in (TextNode(id_="x", text="t"), node("x", embedding=[0.0] * 3), node("x", embedding=[float("nan")] * 3)):
        with pytest.raises(VectorInvalid, match="'x'"):
            store.add([node("fine"), bad])
    assert store.get_nodes() == []
    store.add([node("fine", embedding=[30.0, 40.0, 0.0])])
    with pytest.raises(VectorInvalid, match="'x'"):
        store.add([node("x", embedding=[1.0, 0.0])])
    for wrong in ([1.0, 0.0], [0.0] * 3, None):
        with pytest.raises(VectorInvalid):
            store.query(VectorStoreQuery(query_embedding=wrong, similarity_top_k=1))


def test_dimensions_may_be_said_beforehand(tmp_path: Path) -> None:
    with pytest.raises(VectorInvalid):
        LanceVectorStore.at(tmp_path, dimensions=4).add([node("a")])
    LanceVectorStore.at(tmp_path / "b", dimensions=3).add([node("a")])
    with pytest.raises(VectorInvalid, match="another model"):
        LanceVectorStore.at(tmp_path / "b", dimensions=4)


def test_delete_takes_whole_sources_and_nothing_else(animals: LanceVectorStore) -> None:
    animals.delete("nobody")
    animals.delete("mammal")
    assert len(ids(animals)) == 5
    animals.delete("mammals")
    assert ids(animals) == ["hen", "eel"]


def test_delete_nodes_by_id_filter_or_both(animals: LanceVectorStore) -> None:
    animals.delete_nodes([])
    animals.delete_nodes(["nobody"])
    animals.delete_nodes([], where("legs", 4))
    with pytest.raises(ValueError, match="clear"):
        animals.delete_nodes()
    assert len(ids(animals)) == 5
    animals.delete_nodes(["dog", "hen"], where("legs", 4))
    assert set(ids(animals)) == {"cat", "man", "hen", "eel"}
    animals.delete_nodes(filters=where("legs", 2))
    assert set(ids(animals)) == {"cat", "eel"}
    animals.delete_nodes(["cat", "cat"])
    assert ids(animals) == ["eel"]
    animals.clear()
    assert ids(animals) == []
    animals.add([node("new")])
    assert ids(animals) == ["new"]


def test_get_nodes_keeps_the_order_asked_for(animals: LanceVectorStore) -> None:
    def names(*args: Any) -> list[str]:
        return [one.node_id for one in animals.get_nodes(*args)]

    assert names(["hen", "zz", "dog"]) == ["hen", "dog"]
    assert names([]) == []
    assert names(None, where("legs", 2)) == ["man", "hen"]
    assert names(["hen", "dog"], where("legs", 4)) == ["dog"]
    assert names() == ["dog", "cat", "man", "hen", "eel"]


# ---------------------------------------------------------------- query


def test_query_by_vector(animals: LanceVectorStore) -> None:
    found = animals.query(VectorStoreQuery(query_embedding=[2.0, 0.0, 0.0], similarity_top_k=3))
    assert found.ids == ["dog", "cat", "man"]
    assert [one.node_id for one in found.nodes or []] == found.ids
    assert found.similarities == pytest.approx([1 / 1.01**0.5, 0.9 / 0.97**0.5, 0.0], abs=1e-6)
    assert ids(animals, 0) == []


def test_query_restricted(animals: LanceVectorStore) -> None:
    assert ids(animals, node_ids=[]) == ids(animals, doc_ids=[]) == ids(animals)
    assert ids(animals, node_ids=["eel", "hen", "zz"]) == ["hen", "eel"]
    assert ids(animals, doc_ids=["birds", "fish"]) == ["hen", "eel"]
    assert ids(animals, doc_ids=["mammals"], node_ids=["hen", "man"]) == ["man"]
    assert ids(animals, doc_ids=["zz"]) == []
    # the filter comes before the cut
    assert ids(animals, 2, filters=where("legs", 2)) == ["man", "hen"]
    assert ids(animals, filters=where("legs", 4, FilterOperator.NE)) == ["man", "hen", "eel"]
    both = MetadataFilters(
        filters=[where("legs", 4), where("page", 2, FilterOperator.GTE)], condition=FilterCondition.AND
    )
    assert ids(animals, filters=both) == ["cat"]
    assert ids(animals, filters=where("legs", 4), doc_ids=["birds"]) == []
    assert ids(animals, filters=MetadataFilters(filters=[])) == ids(animals)


@pytest.mark.parametrize("mode", [Mode.TEXT_SEARCH, Mode.SPARSE])
def test_query_by_words(animals: LanceVectorStore, mode: Mode) -> None:
    def words(text: str, **more: Any) -> list[str]:
        query = VectorStoreQuery(query_str=text, mode=mode, similarity_top_k=5, **more)
        found = animals.query(query)
        assert found.similarities == sorted(found.similarities or [], reverse=True)
        return found.ids or []

    assert words("dogs night")[0] == "dog"
    assert set(words("dogs night")) == {"dog", "man", "cat"}
    assert words("night", filters=where("page", 2)) == ["cat"]
    assert words("dog", doc_ids=["birds"]) == []
    assert words("*") == words("") == words('"') == []
    assert words("dogs night", sparse_top_k=1) == ["dog"]


def test_hybrid_fuses_the_ranks(animals: LanceVectorStore) -> None:
    def hybrid(text: str = "hen wakes", k: int = 5, **more: Any) -> dict[str, float]:
        query = VectorStoreQuery(
            query_embedding=[1.0, 0.0, 0.0], query_str=text, mode=Mode.HYBRID, similarity_top_k=k, **more
        )
        found = animals.query(query)
        return dict(zip(found.ids or [], found.similarities or [], strict=True))

    found = hybrid()
    # hen: third or fourth by vector, first by words
    dense = ids(animals)
    assert found["hen"] == pytest.approx(1 / (60 + dense.index("hen") + 1) + 1 / 61)
    assert found["dog"] == pytest.approx(1 / 61)
    assert next(iter(found)) == "hen"
    assert list(hybrid(alpha=1.0)) == dense
    assert next(iter(hybrid(alpha=0.0))) == "hen"
    assert list(hybrid(k=1)) == ["hen"]
    assert len(hybrid(hybrid_top_k=2)) == 2
    assert list(hybrid("???")) == dense
    assert list(hybrid(filters=where("legs", 4))) == ["dog", "cat"]


def test_queries_that_make_no_sense_say_so(animals: LanceVectorStore) -> None:
    with pytest.raises(ValueError, match="mmr"):
        ids(animals, mode=Mode.MMR)
    for mode in (Mode.TEXT_SEARCH, Mode.HYBRID):
        with pytest.raises(ValueError, match="query_str"):
            ids(animals, mode=mode)
    with pytest.raises(VectorInvalid):
        animals.query(VectorStoreQuery(query_str="dog", mode=Mode.HYBRID))


@pytest.mark.parametrize("mode", [Mode.DEFAULT, Mode.TEXT_SEARCH, Mode.HYBRID])
def test_nothing_there_is_an_empty_result(store: LanceVectorStore, mode: Mode) -> None:
    def check() -> None:
        query = VectorStoreQuery(query_embedding=[1, 0, 0], query_str="dog", mode=mode, similarity_top_k=3)
        found = store.query(query)
        assert (found.nodes, found.similarities, found.ids) == ([], [], [])
        assert store.get_nodes() == store.get_nodes(["x"]) == []
        store.delete("x")
        store.delete_nodes(["x"])
        store.clear()

    assert store.client is None
    check()
    assert not list(Path(store.folder).iterdir())
    store.add([node("a")])
    store.clear()
    check()


# ---------------------------------------------------------------- versions, threads, llama-index


def test_a_pinned_store_keeps_its_version(animals: LanceVectorStore) -> None:
    assert animals.client is not None
    pinned = LanceVectorStore.at(animals.folder, version=animals.client.version)
    animals.clear()
    assert len(ids(pinned)) == 5
    for write in (lambda: pinned.add([node("x")]), lambda: pinned.delete("x"), pinned.clear):
        with pytest.raises(NotWritable):
            write()
    over = LanceVectorStore.over(ChunkTable.open(Path(animals.folder), "chunks", pinned.version))
    assert (over.version, over.dimensions, ids(over)) == (pinned.version, 3, ids(pinned))
    with pytest.raises(NotFound):
        LanceVectorStore.at(animals.folder, "other", version=1)


def test_another_process_is_seen_when_its_table_appears(tmp_path: Path) -> None:
    early, writer = LanceVectorStore.at(tmp_path), LanceVectorStore.at(tmp_path)
    assert ids(early) == []
    writer.add([node("a")])
    assert ids(early) == ["a"]


def test_many_threads_read_the_same(animals: LanceVectorStore) -> None:
    fresh = LanceVectorStore.at(animals.folder)
    expected = ids(animals)
    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(lambda _: ids(fresh), range(40)))


def test_async_does_the_same(store: LanceVectorStore) -> None:
    async def run() -> None:
        assert await store.async_add([node("a"), node("b", "other"), node("c")]) == ["a", "b", "c"]
        await store.adelete("other")
        await store.adelete_nodes(["c"])
        assert [one.node_id for one in await store.aget_nodes()] == ["a"]
        found = await store.aquery(VectorStoreQuery(query_embedding=[1, 0, 0], similarity_top_k=2))
        assert found.ids == ["a"]
        await store.aclear()
        assert await store.aget_nodes(["a"]) == []

    asyncio.run(run())


def test_llama_index_builds_on_it_and_opens_it_again(tmp_path: Path) -> None:
    model = MockEmbedding(embed_dim=3)
    documents = [Document(id_=f"d{n}", text=f"text {n}", metadata={"n": n}) for n in range(3)]
    context = StorageContext.from_defaults(vector_store=LanceVectorStore.at(tmp_path))
    index = VectorStoreIndex.from_documents(documents, storage_context=context, embed_model=model)
    index.delete_ref_doc("d1")
    index.storage_context.vector_store.persist("")
    again = VectorStoreIndex.from_vector_store(LanceVectorStore.at(tmp_path), embed_model=model)
    found = again.as_retriever(similarity_top_k=5).retrieve("anything")
    assert sorted(one.node.get_content() for one in found) == ["text 0", "text 2"]
    filtered = again.as_retriever(similarity_top_k=5, filters=where("n", 2)).retrieve("anything")
    assert [one.node.ref_doc_id for one in filtered] == ["d2"]
    assert again.storage_context.vector_store.class_name() == "LanceVectorStore"

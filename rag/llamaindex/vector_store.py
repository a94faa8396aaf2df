"""llama-index's vector store interface over one chunk table: pinned to a version, or writable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from numpy.typing import NDArray

from rag.errors import NotFound, VectorInvalid
from rag.llamaindex.filters import matches
from rag.llamaindex.nodes import node_of, row_of
from rag.tables.chunk_table import ChunkTable
from rag.tables.reader import TableReader

_FUSION = 60  # of reciprocal rank fusion: how slowly the weight of a rank falls
_POOL = 50  # at least so many hits of each kind are fused
_TEXT_MODES = (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE)


class LanceVectorStore(BasePydanticVectorStore):
    """A chunk table as llama-index sees it. Nodes come back as they were added, except for their embedding.

    Vectors are normalised when added; similarities are cosines (`DEFAULT`), BM25 (`TEXT_SEARCH`, `SPARSE`) or fused
    ranks (`HYBRID`). Reads are safe from many threads and each sees one version.
    """

    stores_text: bool = True
    flat_metadata: bool = False
    folder: str
    name: str = "chunks"
    version: int | None = None
    dimensions: int | None = None

    _table: ChunkTable | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=threading.RLock)

    @classmethod
    def class_name(cls) -> str:
        """The name llama-index records."""
        return "LanceVectorStore"

    @classmethod
    def at(
        cls, folder: Path | str, name: str = "chunks", version: int | None = None, dimensions: int | None = None
    ) -> LanceVectorStore:
        """The store over `<folder>/<name>.lance`; with a version: pinned to it and read-only.

        Where there is no table yet, the first `add` makes it, with the dimension of its first vector (or `dimensions`).

        Raises:
            NotFound: a version of a table that does not exist. Damaged, NewerFormat: see `ChunkTable.open`.
            VectorInvalid: the table does not have `dimensions`.
        """
        store = cls(folder=str(folder), name=name, version=version, dimensions=dimensions)
        store._open()
        return store

    @classmethod
    def over(cls, table: ChunkTable) -> LanceVectorStore:
        """The store over an open table."""
        store = cls(
            folder=str(table.path.parent),
            name=table.path.stem,
            version=table.version if table.pinned else None,
            dimensions=table.dimensions,
        )
        store._table = table
        return store

    @property
    def client(self) -> ChunkTable | None:
        """The table; None until the first `add` to a fresh folder."""
        return self._open()

    def add(self, nodes: Sequence[BaseNode], **_kwargs: Any) -> list[str]:
        """Add nodes in one commit, each in place of the node of its id; returns their ids.

        Raises:
            VectorInvalid: a node has no embedding, or one that is zero, not finite or of another dimension.
        """
        if not nodes:
            return []
        rows = [row_of(node, ordinal) for ordinal, node in enumerate(nodes)]
        with self._lock:
            table = self._open()
            if table is None:
                assert rows[0].vector is not None
                width = self.dimensions or len(rows[0].vector)
                table = self._table = ChunkTable.create(Path(self.folder), self.name, width, "")
            table.upsert(rows)
        return [row.id for row in rows]

    def delete(self, ref_doc_id: str, **_kwargs: Any) -> None:
        """Delete all nodes of the source `ref_doc_id`; an unknown one is no error."""
        table = self._open()
        if table is not None:
            table.delete_sources([ref_doc_id])

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_kwargs: Any
    ) -> None:
        """Delete the nodes that are in `node_ids` and pass `filters`; unknown ids are no error.

        Raises:
            ValueError: neither is given; `clear()` empties the store.
        """
        if node_ids is None and filters is None:
            raise ValueError("delete_nodes needs node_ids or filters; clear() empties the store")
        table = self._open()
        if table is None:
            return
        if filters is None:
            table.delete(node_ids or [])
            return
        with self._lock:
            reader = table.reader()
            names = reader.ids()
            table.delete([names[number] for number in _numbers(reader, node_ids, filters)])

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """The nodes of `node_ids`, in that order, unknown ones left out; all where None; of those, what passes
        `filters`."""
        table = self._open()
        if table is None:
            return []
        reader = table.reader()
        return [node_of(row) for row in reader.rows_at(_numbers(reader, node_ids, filters))]

    def clear(self) -> None:
        """Delete all nodes. The table and its older versions stay."""
        table = self._open()
        if table is not None:
            table.clear()

    def persist(self, persist_path: str = "", fs: Any = None) -> None:
        """Nothing to do: every write is on disk when it returns."""

    def query(self, query: VectorStoreQuery, **_kwargs: Any) -> VectorStoreQueryResult:
        """The `similarity_top_k` best nodes, best first, with similarities and ids.

        `node_ids` and `doc_ids` restrict the search unless None or empty; `filters` apply before the cut, so `k`
        nodes come back where `k` pass. `HYBRID` adds 1 / (60 + rank) over both searches (`hybrid_top_k` of them, if
        given); with `alpha`, the dense part weighs `alpha` and the text part `1 - alpha`.

        Raises:
            VectorInvalid: the query vector is missing, zero, not finite or of another dimension.
            ValueError: a mode this store does not have, or no `query_str` where it is needed.
        """
        mode = query.mode
        if mode not in (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.HYBRID, *_TEXT_MODES):
            raise ValueError(f"LanceVectorStore has no query mode {mode.value!r}; use default, text_search or hybrid")
        if mode != VectorStoreQueryMode.DEFAULT and query.query_str is None:
            raise ValueError(f"query mode {mode.value!r} needs query_str")
        if mode not in _TEXT_MODES and query.query_embedding is None:
            raise VectorInvalid(f"Query mode {mode.value!r} needs the question's vector, and there is none.")
        table = self._open()
        if table is None:
            return VectorStoreQueryResult(nodes=[], similarities=[], ids=[])
        reader = table.reader()
        hits = _hits(reader, query, _allowed(reader, query))
        rows = reader.rows_at([number for number, _ in hits])
        return VectorStoreQueryResult(
            nodes=[node_of(row) for row in rows],
            similarities=[score for _, score in hits],
            ids=[row.id for row in rows],
        )

    async def async_add(self, nodes: Sequence[BaseNode], **_kwargs: Any) -> list[str]:
        """`add`, off the event loop."""
        return await asyncio.to_thread(self.add, nodes)

    async def adelete(self, ref_doc_id: str, **_kwargs: Any) -> None:
        """`delete`, off the event loop."""
        await asyncio.to_thread(self.delete, ref_doc_id)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_kwargs: Any
    ) -> None:
        """`delete_nodes`, off the event loop."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """`get_nodes`, off the event loop."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def aclear(self) -> None:
        """`clear`, off the event loop."""
        await asyncio.to_thread(self.clear)

    async def aquery(self, query: VectorStoreQuery, **_kwargs: Any) -> VectorStoreQueryResult:
        """`query`, off the event loop."""
        return await asyncio.to_thread(self.query, query)

    def _open(self) -> ChunkTable | None:
        with self._lock:
            if self._table is None:
                try:
                    table = ChunkTable.open(Path(self.folder), self.name, self.version)
                except NotFound:
                    if self.version is not None:
                        raise
                    return None
                if self.dimensions not in (None, table.dimensions):
                    raise VectorInvalid(
                        f"{table.path.name} has {table.dimensions} dimensions, not {self.dimensions}: "
                        "it was made by another model."
                    )
                self._table = table
            return self._table


def _hits(reader: TableReader, query: VectorStoreQuery, rows: NDArray[np.int64] | None) -> list[tuple[int, float]]:
    """Row number and score, best first."""
    k = query.similarity_top_k
    if query.mode == VectorStoreQueryMode.DEFAULT:
        return reader.nearest(query.query_embedding or [], k, rows)
    if query.mode in _TEXT_MODES:
        return reader.matching(query.query_str or "", query.sparse_top_k or k, rows)
    wanted = query.hybrid_top_k or k
    dense = reader.nearest(query.query_embedding or [], max(k, wanted, _POOL), rows)
    text = reader.matching(query.query_str or "", query.sparse_top_k or max(k, wanted, _POOL), rows)
    weights = (1.0, 1.0) if query.alpha is None else (query.alpha, 1.0 - query.alpha)
    fused: dict[int, float] = {}
    for weight, hits in zip(weights, (dense, text), strict=True):
        for rank, (number, _) in enumerate(hits, start=1):
            fused[number] = fused.get(number, 0.0) + weight / (_FUSION + rank)
    return sorted(fused.items(), key=lambda hit: (-hit[1], hit[0]))[:wanted]


def _allowed(reader: TableReader, query: VectorStoreQuery) -> NDArray[np.int64] | None:
    filters = query.filters
    return reader.rows_where(
        ids=query.node_ids or None,
        source_ids=query.doc_ids or None,
        keep=None if filters is None else lambda metadata: matches(filters, metadata),
    )


def _numbers(reader: TableReader, node_ids: list[str] | None, filters: MetadataFilters | None) -> list[int]:
    numbers = range(reader.count) if node_ids is None else reader.numbers(node_ids)
    if filters is None:
        return list(numbers)
    metadata = reader.metadata()
    return [number for number in numbers if matches(filters, metadata[number])]

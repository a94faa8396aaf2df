"""The peer: the same chunks and vectors in llama-index's own storage, `StorageContext.persist` and its JSON files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

from bench.hashed import HashedWords
from bench.notebooks import notebook


def nodes(home: str | Path) -> list[TextNode]:
    """Every chunk of a notebook as llama-index has chunks: id, text, metadata, source and vector."""
    from rag.notebook import open_snapshot

    found = open_snapshot(notebook(home)).table.scan(["id", "source_id", "text", "start", "end", "vector"])
    return [
        TextNode(
            id_=row["id"],
            text=row["text"],
            embedding=row["vector"],
            metadata={"source_id": row["source_id"], "media_type": "text/markdown"},
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=row["source_id"])},
            start_char_idx=row["start"],
            end_char_idx=row["end"],
        )
        for row in found.to_pylist()
    ]


def index_of(chunks: list[TextNode]) -> VectorStoreIndex:
    """An index of them in memory, in `SimpleVectorStore`, `SimpleDocumentStore` and `SimpleIndexStore`."""
    # Without store_nodes_override, as in llama-index's own starter example.
    return VectorStoreIndex(chunks, embed_model=HashedWords(), storage_context=StorageContext.from_defaults())


def first_hits(index: Any, question: str, count: int) -> list[str]:
    """Ids of the best chunks, texts at hand."""
    hits = index.as_retriever(similarity_top_k=count).retrieve(question)
    assert all(hit.node.text for hit in hits)
    return [hit.node.node_id for hit in hits]

"""Rows of a chunk table as nodes of llama-index, and back."""

from __future__ import annotations

import numpy as np
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    IndexNode,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)

from rag.errors import VectorInvalid
from rag.tables.chunk_rows import ChunkRow

_KINDS: dict[str, type[BaseNode]] = {
    kind.class_name(): kind for kind in (TextNode, Document, ImageNode, IndexNode, Node)
}


def row_of(node: BaseNode, ordinal: int) -> ChunkRow:
    """The row that a node becomes. Raises VectorInvalid: it has no embedding, or one that is zero or not finite."""
    if node.embedding is None:
        raise VectorInvalid(f"Node {node.node_id!r} has no embedding; nodes are embedded before they are added.")
    vector = np.asarray(node.embedding, dtype=np.float64)
    length = float(np.linalg.norm(vector)) if vector.ndim == 1 else 0.0
    if not np.isfinite(length) or length == 0.0:
        raise VectorInvalid(f"The embedding of node {node.node_id!r} is zero or not finite.")
    rest = node.model_dump(mode="json", exclude={"id_", "embedding", "metadata", "start_char_idx", "end_char_idx"})
    # The text has its own column; it is put back in _node.
    text = rest.pop("text", None)
    if text is None and isinstance(rest.get("text_resource"), dict):
        text = rest["text_resource"].pop("text", None)
    rest["class_name"] = node.class_name()
    rest["has_text"] = text is not None
    return ChunkRow(
        id=node.node_id,
        source_id=node.ref_doc_id or "",
        ordinal=ordinal,
        text=text or "",
        start=getattr(node, "start_char_idx", None),
        end=getattr(node, "end_char_idx", None),
        metadata=node.metadata,
        node=rest,
        vector=(vector / length).astype(np.float32),
    )


def node_of(row: ChunkRow) -> BaseNode:
    """The node that a row is."""
    if row.node is None:  # written by the pipeline, not by add()
        source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=row.source_id)}
        return TextNode(
            id_=row.id,
            text=row.text,
            metadata=dict(row.metadata),
            relationships=source,
            start_char_idx=row.start,
            end_char_idx=row.end,
        )
    rest = dict(row.node)
    kind = _KINDS.get(rest.pop("class_name", ""), TextNode)
    if rest.pop("has_text", True):
        if "text" in kind.model_fields:
            rest["text"] = row.text
        else:
            rest["text_resource"] = {**(rest.get("text_resource") or {}), "text": row.text}
    if "start_char_idx" in kind.model_fields:
        rest.update(start_char_idx=row.start, end_char_idx=row.end)
    return kind.from_dict({**rest, "id_": row.id, "metadata": dict(row.metadata)})

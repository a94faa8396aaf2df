"""A snapshot as a folder that llama-index opens without Ragbook: `load_index_from_storage`, stock stores.

The small files are written by llama-index's own stores. The vectors are written here, row by row, in the form its
SimpleVectorStore reads: its own writer holds all of them in memory as Python numbers.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.data_structs.data_structs import IndexDict
from llama_index.core.graph_stores import SimpleGraphStore
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.storage.index_store import SimpleIndexStore

from rag.errors import AlreadyExists, NotFound
from rag.notebook import open_snapshot
from rag.storage.durable import fsync
from rag.storage.failures import translated
from rag.storage.objects import TEMPORARY
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.notebook import Notebook
    from rag.tables.chunk_rows import ChunkRow

_AT_ONCE = 2048  # rows in memory with their vectors
_ABOUT = "ragbook.json"


@dataclass(frozen=True)
class ExportedIndex:
    """A folder for llama-index. `model` is what its questions must be embedded with."""

    folder: Path
    snapshot: int
    sources: int
    chunks: int
    model: str
    dimensions: int

    @property
    def sentence(self) -> str:
        """What was written, and how to open it."""
        return (
            f"Wrote snapshot {self.snapshot} to {self.folder}: {count(self.chunks, 'chunk')} from "
            f"{count(self.sources, 'source')}. Open it with load_index_from_storage and an embed_model of "
            f"{self.model}, {self.dimensions} dimensions: any other gives answers without sense."
        )


def export_llamaindex(notebook: Notebook, folder: Path) -> ExportedIndex:
    """Write the newest intact snapshot to `folder`, which must not exist or be empty. It is there whole or not at all.

    Nodes have our chunk ids, the text, and metadata: `file_name`, `page_label` and `heading` for the reader and the
    language model, the rest for filters. None of it is part of the text to embed. Node order is that of our table.

    Raises:
        NotFound: nothing is built yet, or the folder to write in is missing.
        AlreadyExists: `folder` is there and not empty.
        Damaged: no snapshot is intact. StoreError: it cannot be written.
    """
    opened = open_snapshot(notebook)
    folder = folder.absolute()
    if not folder.parent.is_dir():
        raise NotFound(f"There is no folder {folder.parent}. Make it first, or name another place.")
    temporary = folder.parent / f"{TEMPORARY}export-{uuid.uuid4().hex}"
    with translated(str(folder)):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise AlreadyExists(f"{folder} exists and is not an empty folder. Give another name.")
        temporary.mkdir()
        try:
            _write(opened, temporary)
            for path in (*temporary.iterdir(), temporary):
                fsync(path)
            temporary.replace(folder)  # an empty folder gives way, one that was filled meanwhile does not
            fsync(folder.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    space = opened.manifest.recipe["embedder"]
    counts = opened.manifest.counts
    return ExportedIndex(
        folder, opened.snapshot, counts.sources, counts.chunks, str(space["model"]), int(space["dimensions"])
    )


def _write(opened: Opened, folder: Path) -> None:
    docstore, indexes = SimpleDocumentStore(), SimpleIndexStore()
    index = IndexDict()
    references: dict[str, str] = {}
    metadata: dict[str, Any] = {}
    with (folder / "default__vector_store.json").open("w", encoding="utf-8") as vectors:
        vectors.write('{"embedding_dict": {')
        for number, row in enumerate(_rows(opened)):
            node = _node(row, opened.names.get(row.source_id, "?"))
            docstore.add_documents([node])
            index.add_node(node)
            references[row.id] = row.source_id
            # As SimpleVectorStore has it: what its filters look at.
            reference = dict.fromkeys(("document_id", "doc_id", "ref_doc_id"), row.source_id)
            metadata[row.id] = {**node.metadata, "_node_type": node.class_name(), **reference}
            assert row.vector is not None
            comma = ", " if number else ""
            vectors.write(f"{comma}{json.dumps(row.id)}: {json.dumps(row.vector.tolist())}")
        vectors.write('}, "text_id_to_ref_doc_id": ')
        json.dump(references, vectors)
        vectors.write(', "metadata_dict": ')
        json.dump(metadata, vectors)
        vectors.write("}")
    indexes.add_index_struct(index)
    docstore.persist(str(folder / "docstore.json"))
    indexes.persist(str(folder / "index_store.json"))
    SimpleGraphStore().persist(str(folder / "graph_store.json"))
    manifest = opened.manifest
    about = {"space": manifest.recipe["embedder"], "recipe": manifest.recipe, "counts": asdict(manifest.counts)}
    (folder / _ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False), "utf-8")


def _rows(opened: Opened) -> Iterator[ChunkRow]:
    reader = opened.table.reader()
    for start in range(0, reader.count, _AT_ONCE):
        yield from reader.rows_at(range(start, min(reader.count, start + _AT_ONCE)), with_vectors=True)


def _node(row: ChunkRow, name: str) -> TextNode:
    shown: dict[str, Any] = {"file_name": name}
    if row.page is not None:
        shown["page_label"] = str(row.page)
    if row.heading:
        shown["heading"] = row.heading
    metadata = {**row.metadata, **shown}
    return TextNode(
        id_=row.id,
        text=row.text,
        metadata=metadata,
        excluded_embed_metadata_keys=list(metadata),
        excluded_llm_metadata_keys=[key for key in metadata if key not in shown],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=row.source_id, metadata={"file_name": name})},
        start_char_idx=row.start,
        end_char_idx=row.end,
    )

"""Folders as stock llama-index writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.node_parser import SentenceSplitter

from tests.notebooks import text_of

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


def change_vectors(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Do `change` to the vectors of a folder, by node."""
    path = folder / "default__vector_store.json"
    body = json.loads(path.read_text())
    change(body["embedding_dict"])
    path.write_text(json.dumps(body))

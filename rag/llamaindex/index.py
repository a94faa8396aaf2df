"""llama-index's StorageContext and VectorStoreIndex over the pinned table of a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.storage.index_store import SimpleIndexStore

from rag.llamaindex.question_embedding import NoTransformation, QuestionEmbedding, VectorOf
from rag.llamaindex.vector_store import LanceVectorStore

if TYPE_CHECKING:
    from rag.tables.chunk_table import ChunkTable


def storage_over(table: ChunkTable) -> StorageContext:
    """The storage context whose vector store is an open table. Reads nothing."""
    return StorageContext.from_defaults(
        vector_store=LanceVectorStore.over(table), docstore=SimpleDocumentStore(), index_store=SimpleIndexStore()
    )


def index_over(storage: StorageContext, model: str, vector_of: VectorOf) -> VectorStoreIndex:
    """The index over a storage context, for retrievers; `vector_of` makes the vectors of questions.
    `VectorStoreIndex.from_vector_store` would drop the context and make another one."""
    return VectorStoreIndex(
        nodes=[],
        embed_model=QuestionEmbedding(model, vector_of),
        storage_context=storage,
        transformations=[NoTransformation()],
    )

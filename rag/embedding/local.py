"""The local model as llama-index knows embedding models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from rag.config import LOCAL_MODEL
from rag.embedding import minilm


class LocalEmbedding(BaseEmbedding):
    """all-MiniLM-L6-v2 in this process: 384 dimensions, L2-normalised, no key, no network (`embedding.minilm`).

    Making one costs nothing; the model is loaded and its digests are checked at the first text, once per process.
    Every method may raise ModelMissing.
    """

    _model: Path | None = PrivateAttr(default=None)
    _tokenizer: Path | None = PrivateAttr(default=None)

    def __init__(self, *, model: Path | None = None, tokenizer: Path | None = None, **kwargs: Any) -> None:
        """Use other files than the installed ones: `model` (ONNX) and `tokenizer` (JSON) of the same digests."""
        kwargs.setdefault("model_name", LOCAL_MODEL)
        kwargs.setdefault("embed_batch_size", 2048)
        super().__init__(**kwargs)
        self._model, self._tokenizer = model, tokenizer

    @classmethod
    def class_name(cls) -> str:
        """The name under which llama-index reports this class."""
        return "LocalEmbedding"

    def load(self) -> minilm.MiniLm:
        """Load the model now, to warm up: about 200 MB and half a second, once per process.

        Raises:
            ModelMissing: if it is not installed, or a file is not the expected one.
        """
        return minilm.shared(self._model, self._tokenizer)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.load().embed(texts).tolist()
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._get_text_embeddings(texts)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embedding(text)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

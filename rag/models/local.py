"""The local models as llama-index knows embedding models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from rag.models import minilm, multilingual
from rag.settings import LOCAL_MODEL, MULTILINGUAL_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt


class Loaded(Protocol):
    """A local model in memory."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of `texts`, in their order: (n, d) float32, L2-normalised."""
        ...


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

    def load(self) -> Loaded:
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


class MultilingualEmbedding(LocalEmbedding):
    """universal-sentence-encoder-multilingual 3, of 512 dimensions (`embedding.multilingual`)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("model_name", MULTILINGUAL_MODEL)
        super().__init__(**kwargs)

    @classmethod
    def class_name(cls) -> str:
        """The name under which llama-index reports this class."""
        return "MultilingualEmbedding"

    def load(self) -> Loaded:
        """Load the model now, to warm up: about 150 MB and a second, once per process.

        Raises:
            ModelMissing: if it is not installed, or a file is not the expected one.
        """
        return multilingual.shared()

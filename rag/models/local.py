"""The local models as an `Embedder` uses models. They import nothing of llama-index, which takes a second and 80 MB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rag.models import minilm, multilingual
from rag.settings import LOCAL_MODEL, MULTILINGUAL_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt


class Loaded(Protocol):
    """A local model in memory."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of `texts`, in their order: (n, d) float32, L2-normalised."""
        ...


class LocalEmbedding:
    """all-MiniLM-L6-v2 in this process: 384 dimensions, L2-normalised, no key, no network (`rag.models.minilm`).

    Making one costs nothing; the model is loaded and its digests are checked at the first text, once per process.
    Every method may raise ModelMissing.
    """

    model_name = LOCAL_MODEL
    embed_batch_size = 2048

    def __init__(self, *, model: Path | None = None, tokenizer: Path | None = None) -> None:
        """Use other files than the installed ones: `model` (ONNX) and `tokenizer` (JSON) of the same digests."""
        self._model, self._tokenizer = model, tokenizer

    def load(self) -> Loaded:
        """Load the model now, to warm up: about 110 MB and 0.2 seconds, once per process.

        Raises:
            ModelMissing: if it is not installed, or a file is not the expected one.
        """
        return minilm.shared(self._model, self._tokenizer)

    def get_text_embedding_batch(self, texts: list[str]) -> list[list[float]]:
        """The vectors of texts, in their order."""
        vectors: list[list[float]] = self.load().embed(texts).tolist()
        return vectors

    def get_query_embedding(self, query: str) -> list[float]:
        """The vector of a question, which is that of the same text."""
        return self.get_text_embedding_batch([query])[0]


class MultilingualEmbedding(LocalEmbedding):
    """universal-sentence-encoder-multilingual 3, of 512 dimensions (`rag.models.multilingual`)."""

    model_name = MULTILINGUAL_MODEL

    def load(self) -> Loaded:
        """Load the model now, to warm up: about 150 MB and a second, once per process.

        Raises:
            ModelMissing: if it is not installed, or a file is not the expected one.
        """
        return multilingual.shared()

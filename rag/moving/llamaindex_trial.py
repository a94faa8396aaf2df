"""Whether stored vectors are those of the configured model, by embedding a few again; and what it takes if not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag.config import Config
from rag.fingerprint import fingerprint
from rag.models.tokens import tokenizer_for
from rag.moving.llamaindex_files import StoredIndex
from rag.moving.llamaindex_sources import AdoptedSource
from rag.reading.places import Reading
from rag.reading.splitting import split
from rag.spaces.saved import draft
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.models.embedder import Embedder

SAMPLES = 5
AGREED = 0.99
"""Least cosine of a sample. Less strict than the canary: what is stored of a passage need not be all that was embedded,
a heading above it may be left out."""


@dataclass(frozen=True)
class Needed:
    """What a build of some sources would embed; `cost_usd` is None where the price is not known."""

    texts: int
    tokens: int
    cost_usd: float | None

    def __str__(self) -> str:
        price = "at a price that is not known" if self.cost_usd is None else f"about ${self.cost_usd:,.4f}"
        return f"{count(self.texts, 'text')} of {count(self.tokens, 'token')}, {price}"


def compared(embedder: Embedder, config: Config, stored: StoredIndex) -> tuple[str, float | None]:
    """Why the stored vectors cannot be taken, empty where they can; and the least cosine of the samples, None where
    none was embedded.

    Raises:
        ModelError: the model failed.
    """
    vectors = stored.vectors
    if vectors is None:
        return stored.problem, None
    width = int(vectors.shape[1])
    wanted = draft(config).get("dimensions") or embedder.dimensions
    if wanted is not None and wanted != width:
        return f"they have {width} dimensions, and the configured model has {wanted}", None
    # By digest, not the first ones: spread over the index, and the same ones each time.
    chosen = sorted(range(len(vectors)), key=lambda at: fingerprint(stored.nodes[at].embed_text))[:SAMPLES]
    ours = np.zeros((len(chosen), width), dtype=np.float32)
    for indexes, batch in embedder.embed([stored.nodes[at].embed_text for at in chosen], "text"):
        if batch.shape[1] != width:
            return f"they have {width} dimensions, and the configured model gives {batch.shape[1]}", 0.0
        ours[indexes] = batch
    least = float((unit(vectors[chosen]) * ours).sum(axis=1).min())
    if least < AGREED:
        return f"the configured model gives other vectors (they agree to {least:.4f} only)", least
    return "", least


def estimate(embedder: Embedder, config: Config, sources: Sequence[AdoptedSource]) -> Needed:
    """What embedding `sources`, cut in our way, would take. Calls no model."""
    offsets = tokenizer_for(config).count_offsets
    texts: dict[str, None] = {}
    for source in sources:
        reading = Reading(source.text, "text/plain")
        pieces = split(reading, size=config.chunk_size, overlap=config.chunk_overlap, offsets=offsets)
        texts |= dict.fromkeys(piece.embed_text for piece in pieces)
    tokens = sum(embedder.count_tokens(list(texts)))
    return Needed(len(texts), tokens, _cost(config, tokens))


def unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n, d) vectors, none of them zero, brought to length 1."""
    exact = vectors.astype(np.float64)
    scaled: npt.NDArray[np.float32] = (exact / np.linalg.norm(exact, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def _cost(config: Config, tokens: int) -> float | None:
    from rag.models.endpoint import embedding_endpoint

    if config.embedder == "local":
        return 0.0
    price = embedding_endpoint(config).embedding_price
    return None if price is None else round(tokens * price / 1e6, 6)

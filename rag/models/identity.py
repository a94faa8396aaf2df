"""What the settings say of an embedding space, without loading or calling any model: looking at a verdict needs it, so
that what the local models are is written here, and numpy is not imported."""

from __future__ import annotations

from typing import Any

from rag.config import Config
from rag.settings import MULTILINGUAL_MODEL

OPENAI_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
"""Sizes when no other is asked for (https://platform.openai.com/docs/guides/embeddings)."""


MINILM_DIMENSIONS, MINILM_WINDOW = 384, 254
"""Of the embedded model: numbers of a vector, and tokens it sees at once without the two special ones."""
MINILM_DIGEST = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"

MULTILINGUAL_DIMENSIONS, MULTILINGUAL_WINDOW = 512, 8192
"""Of the multilingual local model; the window is in characters."""
MULTILINGUAL_WEIGHTS = "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
MULTILINGUAL_VOCABULARY = "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9"
MULTILINGUAL_VERSION = "0.2.1"


def identity(config: Config) -> dict[str, Any]:
    """The fields of the wanted space except `variant`; `dimensions` only where they are known beforehand."""
    if config.embedder == "local":
        if config.embed_model == MULTILINGUAL_MODEL:
            revision = f"{MULTILINGUAL_WEIGHTS[:16]} {MULTILINGUAL_VOCABULARY[:16]} {MULTILINGUAL_VERSION}"
            size, window = MULTILINGUAL_DIMENSIONS, f"{MULTILINGUAL_WINDOW} characters"
        else:
            revision, size, window = MINILM_DIGEST[:16], MINILM_DIMENSIONS, f"{MINILM_WINDOW} tokens"
        return {
            "provider": "local",
            "model": config.embed_model,
            "revision": revision,
            "dimensions": size,
            "query_prefix": "",
            "text_prefix": "",
            "normalise": True,
            "newline_policy": "kept",
            "long_text": f"mean of windows of {window}",
        }
    fields: dict[str, Any] = {
        "provider": config.embedder,
        "model": config.embed_model,
        "revision": "",
        "query_prefix": "",
        "text_prefix": "",
        "normalise": True,
        "newline_policy": "spaces",  # llama-index's OpenAIEmbedding replaces line breaks by spaces
        "long_text": "refused",
    }
    dimensions = config.embed_dimensions or (
        OPENAI_DIMENSIONS.get(config.embed_model) if config.embedder == "openai" and not config.embed_base_url else None
    )
    if dimensions is not None:
        fields["dimensions"] = dimensions
    return fields

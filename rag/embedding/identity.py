"""What the settings say of an embedding space, without loading or calling any model."""

from __future__ import annotations

from typing import Any

from rag.config import MULTILINGUAL_MODEL, Config

OPENAI_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
"""Sizes when no other is asked for (https://platform.openai.com/docs/guides/embeddings)."""


def identity(config: Config) -> dict[str, Any]:
    """The fields of the wanted space except `variant`; `dimensions` only where they are known beforehand."""
    if config.embedder == "local":
        from rag.embedding import minilm, multilingual

        if config.embed_model == MULTILINGUAL_MODEL:
            revision = (
                f"{multilingual.WEIGHTS_DIGEST[:16]} {multilingual.VOCABULARY_DIGEST[:16]} {multilingual.VERSION}"
            )
            size, window = multilingual.DIMENSIONS, f"{multilingual.WINDOW} characters"
        else:
            revision, size = minilm.MODEL_DIGEST[:16], minilm.DIMENSIONS
            window = f"{minilm.WINDOW} tokens"
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

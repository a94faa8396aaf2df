"""The choices of a recipe in words: its field names are for files, and what a reader is shown is not. Standard library
only."""

from __future__ import annotations

from collections.abc import Mapping

CHOICES: Mapping[str, str] = {
    "analysis": "analysis of words for full-text search",
    "embedder.dimensions": "dimensions of the vectors",
    "embedder.long_text": "vectors of texts longer than the model's window",
    "embedder.model": "embedding model",
    "embedder.newline_policy": "line breaks in what is embedded",
    "embedder.normalise": "vectors brought to length 1",
    "embedder.provider": "where the embedding model runs",
    "embedder.query_prefix": "words before an embedded question",
    "embedder.revision": "weights of the embedding model",
    "embedder.text_prefix": "words before an embedded chunk",
    "embedder.variant": "variant of the embedding model behind its name",
    "format": "storage format",
    "splitter.id": "way of cutting chunks",
    "splitter.overlap": "overlap of chunks, in tokens",
    "splitter.size": "size of chunks, in tokens",
    "tokenizer.digest": "file of the tokenizer",
    "tokenizer.name": "tokenizer",
}
"""Every choice, by its field in the recipe; readers have a field for each media type."""

_READER = "readers."


def named(field: str) -> str:
    """A field of the recipe in words; anything else, such as the name of a source, as it is."""
    if field.startswith(_READER) and "/" in field:
        return f"reader of {field.removeprefix(_READER)}"
    return CHOICES.get(field, field)

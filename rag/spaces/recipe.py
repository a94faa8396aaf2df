"""The recipe: every choice that changes vectors or chunks, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rag.changes import Change, Code, change
from rag.checked import FORMAT
from rag.config import Config
from rag.fingerprint import fingerprint
from rag.spaces.saved import draft
from rag.spaces.space import Space

SPLITTER = "structure/2"
"""Id of `rag.reading.splitting`, with a number to bump when the same text would be cut into other chunks."""

ANALYSIS = "words/1"
"""Id of `rag.text.analysis` and `rag.text.languages`, with a number to bump when the same text would give other terms.
Both are here because whoever only looks at a verdict needs the recipe, and neither the stemmers nor numpy."""


def wanted_recipe(config: Config, space: Space | None) -> dict[str, Any]:
    """The recipe that the settings ask for. Without a space (nothing was ever embedded with them) its embedder part
    lacks what only the model can tell, and it has no fingerprint yet."""
    from rag.models.tokens import tokenizer_for
    from rag.reading.kinds import READERS

    tokenizer = tokenizer_for(config)
    return {
        "format": FORMAT,
        "embedder": asdict(space) if space else draft(config),
        "splitter": {"id": SPLITTER, "size": config.chunk_size, "overlap": config.chunk_overlap},
        "tokenizer": {"name": tokenizer.name, "digest": tokenizer.digest},
        "readers": dict(READERS),
        "analysis": ANALYSIS,
    }


def recipe_fingerprint(recipe: Mapping[str, Any]) -> str:
    """64 hex digits; the first 16 name the folder of the index."""
    return fingerprint(recipe)


def same_texts(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both recipes send the same texts to the same model: only the words for full-text search may differ."""
    return {**one, "analysis": ""} == {**other, "analysis": ""}


def recipe_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """One change for each choice that differs, named by its field. What `after` leaves open is no change."""
    old, new = dict(_flat(before)), dict(_flat(after))
    open_yet = {"embedder.dimensions", "embedder.variant"} - new.keys()
    return tuple(
        change(Code.CHOICE, choice=key, before=old.get(key), after=new.get(key))
        for key in sorted(old.keys() | new.keys())
        if key not in open_yet and old.get(key) != new.get(key)
    )


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(item)

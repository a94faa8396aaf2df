"""A file as somebody hands it over, and the name it gets beside those that come with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.sources.names import safe_name
from rag.sources.rows import Given


@dataclass(frozen=True)
class Incoming:
    """A file to add: a name from outside (made safe when it is added), and its bytes or where they lie.

    `uploaded` says that `path` is a passing copy, not where the file lives: its vanishing is no sign of a rename.
    `kept` are digest and size of bytes that are in the home already, where `path` then lies.
    `tags` are added to those that the source has."""

    name: str
    path: Path | None = None
    content: bytes | None = None
    uploaded: bool = False
    kept: tuple[str, int] | None = None
    tags: tuple[str, ...] = ()


def origin_of(one: Incoming) -> str:
    """Where a file lies, for telling a rename from a copy; empty for an upload, and for a path that is no text."""
    if one.path is None or one.uploaded:
        return ""
    origin = str(one.path.absolute())
    try:
        origin.encode()
    except UnicodeEncodeError:
        return ""
    return origin


def name_in_batch(name: str, digest: str, origin: str, given: Mapping[str, Given]) -> str:
    """The name a file gets beside those of its batch: where two would get one name, the second must not replace the
    first unseen."""
    clash = given.get(name)
    return name if clash is None or clash.digest == digest else _apart(name, origin, given)


def _apart(name: str, origin: str, taken: Mapping[str, Any]) -> str:
    parent = Path(origin).parent.name if origin else ""
    candidates = [safe_name(f"{parent}/{name}")] if parent else []
    stem, dot, suffix = name.rpartition(".")
    candidates += [f"{stem} ({n}).{suffix}" if dot else f"{name} ({n})" for n in range(2, 10_000)]
    return next(candidate for candidate in candidates if candidate not in taken)

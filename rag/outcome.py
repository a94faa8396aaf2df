"""What adding, building or removing came to."""

from __future__ import annotations

from dataclasses import dataclass

from rag.manifest import Verdict


@dataclass(frozen=True)
class SourceCounts:
    """Sources with chunks in the snapshot (`total`), and what became of each in this action. `failed` counts those
    that could not be read; a failed source whose former chunks stay is in `total` too."""

    total: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    renamed: int = 0
    removed: int = 0
    failed: int = 0


@dataclass(frozen=True)
class ChunkCounts:
    """Chunks in the snapshot; those whose text was paid for now; those that had a vector already."""

    total: int = 0
    embedded: int = 0
    reused: int = 0


@dataclass(frozen=True)
class Outcome:
    """The verdict of an action with its counts. `failures` are (name, reason); `space` and `recipe` fingerprints."""

    verdict: Verdict
    sources: SourceCounts
    chunks: ChunkCounts
    failures: tuple[tuple[str, str], ...] = ()
    space: str | None = None
    recipe: str | None = None

"""The sample library: Ragbook's own documentation, which comes with it and needs no network."""

from __future__ import annotations

from pathlib import Path

from rag.sources.incoming import Incoming

_ROOT = Path(__file__).resolve().parents[2]
_FILES = ("README.md", "docs/storage.md", "docs/architecture.md", "CHANGELOG.md", "CONTRIBUTING.md")


def sample_library() -> list[Incoming]:
    """The files of the sample library that are there."""
    return [Incoming(Path(name).name, _ROOT / name) for name in _FILES if (_ROOT / name).is_file()]

"""Tables of chunks for tests: rows of few numbers, quickly made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable


def vector(seed: int, width: int = 8) -> NDArray[np.float32]:
    numbers = np.random.default_rng(seed).standard_normal(width)
    return (numbers / np.linalg.norm(numbers)).astype(np.float32)


def row(name: str, source: str = "s", text: str = "a dog", **more: Any) -> ChunkRow:
    more.setdefault("vector", vector(sum(map(ord, name))))
    return ChunkRow(name, source, more.pop("ordinal", 0), text, **more)


def many(source: str, count: int, text: str = "a dog") -> list[ChunkRow]:
    return [row(f"{source}-{n}", source, f"{text} w{n % 7}", ordinal=n, vector=vector(n)) for n in range(count)]


def reopened(table: ChunkTable, version: int | None = None) -> ChunkTable:
    return ChunkTable.open(table.path.parent, table.path.stem, version)


def written(folder: Path) -> dict[str, int]:
    """Every file below, with its size in bytes."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}

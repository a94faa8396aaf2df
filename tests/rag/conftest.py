"""For the tests of the engine: an empty table."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.tables.chunk_table import ChunkTable


@pytest.fixture
def table(tmp_path: Path) -> ChunkTable:
    return ChunkTable.create(tmp_path, "t", 8, "a space")

"""One reading child for all tests of the room, as an application would use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.reading.isolation import Readers
from rag.reading.places import Reading
from tests.rag.reading.reading_checks import check

Read = Callable[[str, bytes], Reading]


@pytest.fixture(scope="session")
def readers() -> Iterator[Readers]:
    with Readers() as shared:
        yield shared


@pytest.fixture
def read(readers: Readers, tmp_path: Path) -> Read:
    """Reads bytes under a name, through the real child process, and checks what holds for every reading."""

    def read_bytes(name: str, content: bytes) -> Reading:
        path = tmp_path / "source"
        path.write_bytes(content)
        reading = readers.read(name, path)
        check(reading)
        return reading

    return read_bytes

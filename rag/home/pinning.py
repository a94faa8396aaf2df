"""Before publishing: see that a table is what it should be, make it durable, and write down what it consists of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.errors import Damaged
from rag.home.place import Place
from rag.manifest import PinnedFile, PinnedTable
from rag.storage.durable import fsync
from rag.storage.failures import translated
from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import files_of, sync


def verify(table: ChunkTable, chunks: int, sample: Sequence[ChunkRow]) -> None:
    """See that a table holds `chunks` rows, and that the sampled rows just written come back as they were.

    Raises:
        Damaged: it does not; nothing was published.
    """
    if table.count != chunks:
        raise Damaged(
            f"The new index has {table.count} chunks instead of {chunks}. Nothing was published; build again."
        )
    first = sample[:: max(1, len(sample) // 8)]
    if not first:
        return
    found = {row.id: row for row in table.rows([row.id for row in first], with_vectors=True)}
    for row in first:
        back = found.get(row.id)
        if back is None or back != row or not np.array_equal(_vector(back), _vector(row)):
            raise Damaged("A chunk of the new index is not what was written. Nothing was published; build again.")


def pin(place: Place, path: Path, version: int, rows: int, parent: PinnedTable | None) -> PinnedTable:
    """Pin a table: make its new files durable, and hash them. Files that `parent` pins already are both.

    Raises:
        Damaged: a file of the version is missing.
    """
    relative = path.relative_to(place.files.at(place.name(""))).as_posix()
    known = {file.path: file for file in parent.files} if parent and parent.path == relative else {}
    pinned: list[PinnedFile] = []
    with translated(relative):
        files = files_of(path, version)
        sync(path, [file for file in files if file.path not in known])
        for above in path.parents:  # Lance made some of these folders, and their names must be on the disk too
            fsync(above)
            if above == place.files.at():
                break
        for file in files:
            if file.path in known:
                pinned.append(known[file.path])
                continue
            with (path / file.path).open("rb") as content:
                pinned.append(PinnedFile(file.path, file.size, hashlib.file_digest(content, "sha256").hexdigest()))
    return PinnedTable(relative, version, rows, tuple(pinned))


def _vector(row: ChunkRow) -> npt.NDArray[np.float32]:
    return np.zeros(0, np.float32) if row.vector is None else row.vector

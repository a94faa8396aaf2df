"""VectorCache: the vectors already paid for, per space.

A Lance table, append-only, that no snapshot pins: key (32 bytes) → float32 vector, with a CRC-32 of its bytes because
Lance has no checksums. A row that fails its check counts as absent, so damage costs one more payment, never a wrong
vector.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

import lancedb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rag.errors import Damaged, VectorInvalid
from rag.lance_files import TableFile, files_of, shape_of, sync
from rag.objects import make_folder, translated

TABLE = "vectors"
_COMPACT_AT = 64
"""Fragments after which small appends are joined; 300 of them make a read several times dearer."""


class VectorCache:
    """The vectors of one space, below `folder`. Safe for several processes: Lance merges concurrent appends, and a
    key that two of them paid for at once is merely there twice."""

    def __init__(self, folder: Path, dimensions: int) -> None:
        self.folder = folder
        self.dimensions = dimensions
        self._keys: pa.Array | None = None
        self._version: int | None = None
        with translated(f"spaces/{folder.name}"):
            make_folder(folder)
        try:
            database = lancedb.connect(str(folder))
            schema = pa.schema(
                [
                    ("key", pa.binary(32)),
                    ("vector", pa.list_(pa.float32(), dimensions)),
                    ("crc", pa.uint32()),
                ]
            )
            if (folder / f"{TABLE}.lance").exists():
                self._table = database.open_table(TABLE)
            else:
                self._table = database.create_table(TABLE, schema=schema, exist_ok=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise Damaged(f"spaces/{folder.name}/{TABLE}.lance cannot be opened: {error}") from error
        found = self._table.schema.field("vector").type
        if found != pa.list_(pa.float32(), dimensions):
            raise Damaged(f"spaces/{folder.name}/{TABLE}.lance holds {found}, not vectors of {dimensions} dimensions.")

    def __len__(self) -> int:
        return int(self._table.count_rows())

    def find(self, keys: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        """The vectors of those `keys` that are there and pass their check."""
        if not keys:
            return {}
        try:
            return self._find(keys)
        except (OSError, RuntimeError, ValueError) as error:
            raise Damaged(f"spaces/{self.folder.name}/{TABLE}.lance cannot be read: {error}") from error

    def having(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those `keys` that have a vector, whether it passes its check or not: for counting beforehand."""
        wanted = pa.array(list(keys), pa.binary(32))
        try:
            inside = pc.is_in(wanted, value_set=self._all_keys())
        except (OSError, RuntimeError, ValueError) as error:
            raise Damaged(f"spaces/{self.folder.name}/{TABLE}.lance cannot be read: {error}") from error
        return set(wanted.filter(inside).to_pylist())

    def _all_keys(self) -> pa.Array:
        self._table.checkout_latest()  # type: ignore[no-untyped-call] # lancedb leaves it untyped
        if self._keys is None or self._version != self._table.version:
            self._version = self._table.version
            self._keys = self._table.search().select(["key"]).to_arrow()["key"].combine_chunks()
        return self._keys

    def _find(self, keys: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        wanted = pa.array(list(dict.fromkeys(keys)), pa.binary(32))
        offsets = pc.drop_null(pc.index_in(wanted, value_set=self._all_keys())).to_pylist()
        found: dict[bytes, npt.NDArray[np.float32]] = {}
        for at in range(0, len(offsets), 4096):
            rows = self._table.take_offsets(offsets[at : at + 4096]).to_arrow().combine_chunks()
            matrix = rows["vector"].combine_chunks().flatten().to_numpy().reshape(-1, self.dimensions)
            checked = zip(rows["key"].to_pylist(), rows["crc"].to_pylist(), matrix, strict=True)
            found |= {
                key: vector
                for key, crc, vector in checked
                if zlib.crc32(vector.tobytes()) == crc and np.isfinite(vector).all()
            }
        return found

    def add(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Append (n, d) vectors; they are on the disk when this returns, so that they are paid for once.

        Raises:
            VectorInvalid: a vector of the wrong dimension, not finite, or not of length 1.
            StoreError: the table cannot be written.
        """
        if not len(keys):
            return
        if vectors.shape != (len(keys), self.dimensions) or not np.isfinite(vectors).all():
            raise VectorInvalid(
                f"Expected {len(keys)} finite vectors of {self.dimensions} dimensions, got {vectors.shape}."
            )
        if np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > 1e-3:
            raise VectorInvalid("A vector to be saved is not of length 1.")
        matrix = np.ascontiguousarray(vectors, dtype=np.float32)
        rows = pa.table(
            {
                "key": pa.array(list(keys), pa.binary(32)),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), self.dimensions),
                "crc": pa.array([zlib.crc32(row.tobytes()) for row in matrix], pa.uint32()),
            },
            schema=self._table.schema,
        )
        before = {file.path for file in self._files()}
        with translated(f"spaces/{self.folder.name}/{TABLE}.lance"):
            try:
                self._table.add(rows)
            except RuntimeError as error:
                raise OSError(_errno(error), str(error)) from error
            sync(self._path, [file for file in self._files() if file.path not in before])

    def compact(self) -> None:
        """Join small appends when there are many. Versions that a reader of the last hour may hold stay."""
        if shape_of(self._path, self._table.version).fragments < _COMPACT_AT:
            return
        self._table.optimize(cleanup_older_than=timedelta(hours=1))
        sync(self._path, self._files())
        self._keys = None

    @property
    def _path(self) -> Path:
        return self.folder / f"{TABLE}.lance"

    def _files(self) -> tuple[TableFile, ...]:
        return files_of(self._path, self._table.version)


def _errno(error: RuntimeError) -> int:
    """The errno inside a Lance error, which is a RuntimeError with the system's words in its text; EIO where none."""
    import errno
    import re

    match = re.search(r"os error (\d+)", str(error))
    return int(match.group(1)) if match else errno.EIO

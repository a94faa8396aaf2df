"""VectorCache: the vectors already paid for, per space.

A Lance table, append-only, that no snapshot pins: key (32 bytes) → float32 vector, with a CRC-32 of key and vector
because Lance has no checksums. A row that fails its check counts as absent, so damage costs one more payment, never a
wrong vector.
"""

from __future__ import annotations

import errno
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock

from rag.errors import Damaged, VectorInvalid
from rag.storage import layout
from rag.storage.durable import make_folder
from rag.storage.failures import translated
from rag.tables.lance import col, lancedb
from rag.tables.lance_files import TableFile, files_of, latest_version, set_aside_torn, shape_of, sync

T = TypeVar("T")

TABLE = "vectors"
_MISPLACED = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
_FEW = 256
"""Up to so many keys are looked for by a scan: 5 to 10 ms among 100,000, where reading all keys takes 25."""

_COMPACT_AT = 64
"""Fragments after which small appends are joined; 300 of them make a read several times dearer."""


class VectorCache:
    """The vectors of one space, below `folder`. Safe for several processes: Lance merges concurrent appends, and a
    key that two of them paid for at once is merely there twice.

    Where the table itself is damaged, it is set aside as `damaged-<n>.lance`, and what can be read of it goes into a
    new one. `repaired` then says so.
    """

    def __init__(self, folder: Path, dimensions: int) -> None:
        self.folder = folder
        self.dimensions = dimensions
        self.repaired: str | None = None
        self._keys: pa.Array | None = None
        self._version: int | None = None
        self._schema = pa.schema(
            [
                ("key", pa.binary(32)),
                ("vector", pa.list_(pa.float32(), dimensions)),
                ("crc", pa.uint32()),
            ]
        )
        with translated(self._name):
            make_folder(folder)
            try:
                self._table = self._opened()
            except Exception as error:  # noqa: BLE001 - a panic inside Lance is no kind of RuntimeError
                self._table = self._repair(error)
        found = self._table.schema.field("vector").type
        if found != pa.list_(pa.float32(), dimensions):
            raise Damaged(f"{self._name} holds {found}, not vectors of {dimensions} dimensions.")

    def __len__(self) -> int:
        return int(self._table.count_rows())

    def find(self, keys: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        """The vectors of those `keys` that are there and pass their check."""
        return self._reading(lambda: self._find(keys)) if keys else {}

    def having(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those `keys` that have a vector, whether it passes its check or not: for counting beforehand."""
        wanted = list(dict.fromkeys(keys))
        return self._reading(lambda: set(self._there(wanted).to_pylist()))

    def _there(self, keys: Sequence[bytes]) -> pa.ChunkedArray | pa.Array:
        if self._are_few(keys):
            return self._rows_of(keys, ["key"])["key"]
        every = self._all_keys()
        # The few are looked up among the many: the other way round would make a hash table of all keys each time.
        return every.filter(pc.is_in(every, value_set=pa.array(keys, pa.binary(32))))

    def _are_few(self, keys: Sequence[bytes]) -> bool:
        """Whether a scan for those keys is cheaper than all keys in memory, of which the next `add` makes nothing."""
        self._table.checkout_latest()
        return len(keys) <= _FEW and (self._keys is None or self._version != self._table.version)

    def _rows_of(self, keys: Sequence[bytes], columns: list[str]) -> pa.Table:
        return self._table.search().where(col("key").isin(list(keys))).select(columns).to_arrow()

    def _reading(self, read: Callable[[], T]) -> T:
        """What `read` gives; after a repair, where the table turns out to be damaged."""
        with translated(self._name):
            try:
                return read()
            except Exception as error:  # noqa: BLE001 - a panic inside Lance is no kind of RuntimeError
                self._table = self._repair(error)
                return read()

    def _all_keys(self) -> pa.Array:
        self._table.checkout_latest()
        if self._keys is None or self._version != self._table.version:
            self._version = self._table.version
            self._keys = self._table.search().select(["key"]).to_arrow()["key"].combine_chunks()
        return self._keys

    def _find(self, keys: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        wanted = list(dict.fromkeys(keys))
        # Every row of a key: where one copy is damaged, the one that was paid for again is further down.
        if self._are_few(wanted):
            return self._intact(self._rows_of(wanted, ["key", "vector", "crc"]))
        inside = pc.is_in(self._all_keys(), value_set=pa.array(wanted, pa.binary(32)))
        places = np.flatnonzero(inside.to_numpy(zero_copy_only=False)).tolist()
        found: dict[bytes, npt.NDArray[np.float32]] = {}
        for at in range(0, len(places), 4096):
            found |= self._checked(self._table, places[at : at + 4096])
        return found

    def _checked(self, table: Any, places: Sequence[int]) -> dict[bytes, npt.NDArray[np.float32]]:
        return self._intact(table.take_offsets(places).to_arrow())

    def _intact(self, rows: pa.Table) -> dict[bytes, npt.NDArray[np.float32]]:
        """The vectors of rows that pass their check, by key."""
        if not rows.num_rows:
            return {}
        rows = rows.combine_chunks()
        matrix = rows["vector"].combine_chunks().flatten().to_numpy().reshape(-1, self.dimensions)
        return {
            key: vector
            for key, crc, vector in zip(rows["key"].to_pylist(), rows["crc"].to_pylist(), matrix, strict=True)
            if key is not None and _crc(key, vector) == crc and np.isfinite(vector).all()
        }

    def _opened(self) -> Any:
        database = lancedb.connect(str(self.folder))
        if latest_version(self._path) is None and not any((self._path / "data").glob("*")):
            # Also where a kill left a folder that is no table yet. One process at a time: of two that create, the
            # second would write over what the first has appended since.
            with FileLock(self.folder / ".lock", thread_local=False):
                if latest_version(self._path) is None:
                    return database.create_table(TABLE, schema=self._schema, exist_ok=True)
        try:
            return database.open_table(TABLE)
        except (RuntimeError, ValueError):
            # A power cut can leave a torn version, for which Lance opens none; the one before has all but one batch.
            if not set_aside_torn(self._path, 0):
                raise
            return database.open_table(TABLE)

    def _repair(self, error: Exception) -> Any:
        """A table with what can be read of the damaged one; meant for an error met while reading.

        Raises:
            OSError: the system's refusal (no permission, disk full), which is no damage.
        """
        _raise_if_refused(error)
        with FileLock(self.folder / ".repair.lock", thread_local=False):
            try:  # another process may have been faster
                table = self._opened()
                table.search().to_arrow()
            except Exception as again:  # noqa: BLE001 - see above
                _raise_if_refused(again)
            else:
                return table
            saved: dict[bytes, npt.NDArray[np.float32]] = {}
            with suppress(Exception):  # a table that does not even open has nothing to give
                table = lancedb.connect(str(self.folder)).open_table(TABLE)
                self._salvage(table, 0, table.count_rows(), saved)
            aside = next(path for n in range(1, 10_000) if not (path := self.folder / f"damaged-{n}.lance").exists())
            self._path.rename(aside)
            self._table, self._keys = self._opened(), None
            if saved:
                self.add(list(saved), np.stack(list(saved.values())))
        self.repaired = (
            f"{self._name} was damaged: {len(saved):,} of its vectors could be read and were kept; others are paid "
            f"for again. The damaged table is {aside.name}."
        )
        return self._table

    def _salvage(self, table: Any, start: int, end: int, saved: dict[bytes, npt.NDArray[np.float32]]) -> None:
        if start >= end:
            return
        if end - start <= 4096:
            try:
                saved |= self._checked(table, range(start, end))
            except Exception:  # noqa: BLE001 - halve it, as long as something in it can be read
                if end - start == 1 or (end - start <= 64 and not self._ends(table, start, end, saved)):
                    return
            else:
                return
        middle = (start + end) // 2
        self._salvage(table, start, middle, saved)
        self._salvage(table, middle, end, saved)

    def _ends(self, table: Any, start: int, end: int, saved: dict[bytes, npt.NDArray[np.float32]]) -> bool:
        """Whether the first or the last row can be read. Of a file torn by a power cut no row can, of its neighbours
        all: what is between two rows of it need not be tried."""
        found = False
        for place in (start, end - 1):
            with suppress(Exception):
                saved |= self._checked(table, [place])
                found = True
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
                "crc": pa.array(list(map(_crc, keys, matrix)), pa.uint32()),
            },
            schema=self._table.schema,
        )
        before = {file.path for file in self._files()}
        with translated(self._name):
            try:
                self._table.add(rows)
            except Exception as error:
                _raise_if_refused(error)
                raise Damaged(f"{self._name} cannot be written: {error}") from error
            sync(self._path, [file for file in self._files() if file.path not in before])

    def addresses(self) -> Iterator[tuple[bytes, bytes]]:
        """Every row as its key and its vector's bytes, unchecked: also those that count as absent."""
        with translated(self._name):
            self._table.checkout_latest()
            for batch in self._table.search().select(["key", "vector"]).to_batches(batch_size=4096):
                matrix = batch.column("vector").flatten().to_numpy().reshape(-1, self.dimensions)
                for key, vector in zip(batch.column("key").to_pylist(), matrix, strict=True):
                    yield key, vector.tobytes()

    def rewrite_without(self, keys: Collection[bytes]) -> None:
        """Write the cache anew without the rows of these keys, and drop every older version and file, also what an
        append that was killed left behind.

        For purging: deleting alone only marks rows. Other processes that read the cache meanwhile may fail once.
        """
        with translated(self._name):
            try:
                self._table.checkout_latest()
                if keys:
                    rows = self._table.search().to_arrow().combine_chunks()
                    gone = pc.is_in(rows["key"], value_set=pa.array(list(keys), pa.binary(32)))
                    # One commit: a crash leaves the cache as it was or as it shall be, never empty.
                    self._table.add(rows.filter(pc.invert(gone)).cast(self._table.schema), mode="overwrite")
            except Exception as error:
                _raise_if_refused(error)
                raise Damaged(f"{self._name} cannot be written anew: {error}") from error
            sync(self._path, self._files())
        self._keys = None
        needed = {file.path for file in self._files()}
        for part in ("data", "_deletions", "_transactions", "_versions"):
            for path in (self._path / part).glob("*"):
                name = path.relative_to(self._path).as_posix()
                if name not in needed and path.name != "latest_version_hint.json":
                    path.unlink()

    def compact(self) -> None:
        """Join small appends when there are many. Versions that a reader of the last hour may hold stay.

        Does nothing where it cannot: a disk that is nearly full, or another process that compacts at this moment.
        """
        if shape_of(self._path, self._table.version).fragments < _COMPACT_AT:
            return
        with suppress(Exception):
            set_aside_torn(self._path, 0)  # Lance reads every version, and a power cut may have torn one
            self._table.optimize(cleanup_older_than=timedelta(hours=1))
            self._table.checkout_latest()
        sync(self._path, self._files())
        self._keys = None

    @property
    def _name(self) -> str:
        return f"{layout.SPACES}/{self.folder.name}/{layout.VECTORS_TABLE}"

    @property
    def _path(self) -> Path:
        return self.folder / f"{TABLE}.lance"

    def _files(self) -> tuple[TableFile, ...]:
        return files_of(self._path, self._table.version)


def _crc(key: bytes, vector: npt.NDArray[np.float32]) -> int:
    # The key is in it: a damaged page may hand out whole rows, with their checksums, under each other's keys.
    return zlib.crc32(vector.tobytes(), zlib.crc32(key))


def _raise_if_refused(error: Exception) -> None:
    """Raise the `OSError` inside a Lance error, which has the system's words in its text, unless it is a missing or
    misplaced file: a refusal says nothing about what is on the disk."""
    match = re.search(r"os error (\d+)", str(error))
    if match and int(match[1]) not in _MISPLACED:
        raise OSError(int(match[1]), os.strerror(int(match[1]))) from error
    if isinstance(error, OSError) and error.errno not in (None, *_MISPLACED):
        raise error

"""VectorCache: the vectors already paid for, per space.

A Lance table, append-only, that no snapshot pins: key (32 bytes) → float32 vector, with a CRC-32 of key and vector
because Lance has no checksums. A row that fails its check counts as absent, so damage costs one more payment, never a
wrong vector.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock

from rag.errors import NotFound, OtherDimensions, StoreError, VectorInvalid
from rag.storage import layout
from rag.storage.durable import make_folder
from rag.storage.failures import translated
from rag.tables.lance import col, lancedb
from rag.tables.lance_errors import reading, writing
from rag.tables.lance_files import TableFile, files_of, latest_version, set_aside_torn, shape_of, sync

TABLE = "vectors"
_AT_ONCE = 4096  # rows
_FEW = 256
"""Up to so many keys are looked for by a scan: 5 to 10 ms among 100,000, where reading all keys takes 25."""

_COMPACT_AT = 64
"""Fragments after which small appends are joined; 300 of them make a read several times dearer."""

Vectors = dict[bytes, npt.NDArray[np.float32]]
"""Vectors by their keys."""


class VectorCache:
    """The vectors of one space, below `folder`. Safe for several processes: Lance merges concurrent appends, and a
    key that two of them paid for at once is merely there twice.

    Every method raises `Damaged` where the table cannot be read; `HealingCache` makes another one then.
    """

    def __init__(self, folder: Path, dimensions: int, *, looking: bool = False) -> None:
        """Open the cache, or make an empty one. With `looking` nothing is made, moved or written.

        Raises:
            Damaged: what is there is no such table, or cannot be opened.
            OtherDimensions: its vectors have others.
            NotFound: with `looking`, there is none.
        """
        self.folder = folder
        self.dimensions = dimensions
        self.path = folder / layout.VECTORS_TABLE
        self.name = f"{layout.SPACES}/{folder.name}/{layout.VECTORS_TABLE}"
        self._keys: pa.Array | None = None
        self._version: int | None = None
        self._table = self._opened(looking)

    def __len__(self) -> int:
        with reading(self.path, None, self.name):
            return int(self._table.count_rows())

    def keys(self) -> pa.Array:
        """The key of every row, whether it passes its check or not."""
        with reading(self.path, None, self.name):
            self._table.checkout_latest()
            if self._keys is None or self._version != self._table.version:
                self._version = self._table.version
                self._keys = self._table.search().select(["key"]).to_arrow()["key"].combine_chunks()
            return self._keys

    def find(self, keys: Sequence[bytes]) -> Vectors:
        """The vectors of those `keys` that are there and pass their check."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        with reading(self.path, None, self.name):
            # Every row of a key: where one copy is damaged, the one that was paid for again is further down.
            if self._are_few(wanted):
                return self._intact(self._rows_of(wanted, ["key", "vector", "crc"]))
            inside = pc.is_in(self.keys(), value_set=pa.array(wanted, pa.binary(32)))
            found: Vectors = {}
            places = np.flatnonzero(inside.to_numpy(zero_copy_only=False)).tolist()
            for at in range(0, len(places), _AT_ONCE):
                found |= self.intact_at(places[at : at + _AT_ONCE])
            return found

    def intact_at(self, places: Sequence[int]) -> Vectors:
        """The vectors of the rows at those places that pass their check."""
        with reading(self.path, None, self.name):
            return self._intact(self._table.take_offsets(list(places)).to_arrow())

    def having(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those `keys` that have a vector, whether it passes its check or not: for counting beforehand."""
        wanted = list(dict.fromkeys(keys))
        with reading(self.path, None, self.name):
            if self._are_few(wanted):
                return set(self._rows_of(wanted, ["key"])["key"].to_pylist())
            # The few are looked up among the many: the other way round would make a hash table of all keys each time.
            every = self.keys()
            return set(every.filter(pc.is_in(every, value_set=pa.array(wanted, pa.binary(32)))).to_pylist())

    def scan_checked(self) -> Iterator[tuple[list[bytes], npt.NDArray[np.float32], list[bool]]]:
        """Every row: keys, vectors (m, d), and whether each passes its check; some thousand at a time."""
        with reading(self.path, None, self.name):
            self._table.checkout_latest()
            for batch in self._table.search().select(["key", "vector", "crc"]).to_batches(batch_size=_AT_ONCE):
                matrix = batch["vector"].flatten().to_numpy().reshape(-1, self.dimensions)
                keys = batch["key"].to_pylist()
                yield keys, matrix, list(map(_passes, keys, matrix, batch["crc"].to_pylist()))

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
        with writing(self.path, None, self.name):
            self._table.add(rows)
            sync(self.path, [file for file in self._files() if file.path not in before])

    def rewrite_without(self, keys: Collection[bytes]) -> None:
        """Write the cache anew without the rows of these keys, and drop every older version and file, also what an
        append that was killed left behind.

        For purging: deleting alone only marks rows. Other processes that read the cache meanwhile may fail once.
        """
        with writing(self.path, None, self.name):
            self._table.checkout_latest()
            if keys:
                rows = self._table.search().to_arrow().combine_chunks()
                gone = pc.is_in(rows["key"], value_set=pa.array(list(keys), pa.binary(32)))
                # One commit: a crash leaves the cache as it was or as it shall be, never empty.
                self._table.add(rows.filter(pc.invert(gone)).cast(self._table.schema), mode="overwrite")
            sync(self.path, self._files())
        self._keys = None
        needed = {file.path for file in self._files()}
        with translated(self.name):
            for part in ("data", "_deletions", "_transactions", "_versions"):
                for path in (self.path / part).glob("*"):
                    name = path.relative_to(self.path).as_posix()
                    if name not in needed and path.name != "latest_version_hint.json":
                        path.unlink()

    def compact(self) -> None:
        """Join small appends when there are many. Versions that a reader of the last hour may hold stay.

        Does nothing where it cannot: a disk that is nearly full, or another process that compacts at this moment.
        """
        if shape_of(self.path, self._table.version).fragments < _COMPACT_AT:
            return
        try:
            with writing(self.path, None, self.name):
                set_aside_torn(self.path, 0)  # Lance reads every version, and a power cut may have torn one
                self._table.optimize(cleanup_older_than=timedelta(hours=1))
                self._table.checkout_latest()
        except StoreError:
            return  # what there is can be read as before
        sync(self.path, self._files())
        self._keys = None

    def _opened(self, looking: bool) -> Any:
        schema = pa.schema(
            [("key", pa.binary(32)), ("vector", pa.list_(pa.float32(), self.dimensions)), ("crc", pa.uint32())]
        )
        if looking and not self.path.exists():
            raise NotFound(f"{self.name} is missing.")
        with translated(self.name), reading(self.path, None, self.name):
            table = self._opened_there() if looking else self._opened_or_made(schema)
            found = table.schema.field("vector").type
        if found != schema.field("vector").type:
            raise OtherDimensions(f"{self.name} holds {found}, not vectors of {self.dimensions} dimensions.")
        return table

    def _opened_there(self) -> Any:
        return lancedb.connect(str(self.folder)).open_table(TABLE)

    def _opened_or_made(self, schema: pa.Schema) -> Any:
        make_folder(self.folder)
        if latest_version(self.path) is None and not any((self.path / "data").glob("*")):
            # Also where a kill left a folder that is no table yet. One process at a time: of two that create, the
            # second would write over what the first has appended since.
            with FileLock(self.folder / ".lock", thread_local=False):
                if latest_version(self.path) is None:
                    return lancedb.connect(str(self.folder)).create_table(TABLE, schema=schema, exist_ok=True)
        try:
            return self._opened_there()
        except (RuntimeError, ValueError):
            # A power cut can leave a torn version, for which Lance opens none; the one before has all but one batch.
            if not set_aside_torn(self.path, 0):
                raise
            return self._opened_there()

    def _are_few(self, keys: Sequence[bytes]) -> bool:
        """Whether a scan for those keys is cheaper than all keys in memory, of which the next `add` makes nothing."""
        self._table.checkout_latest()
        return len(keys) <= _FEW and (self._keys is None or self._version != self._table.version)

    def _rows_of(self, keys: Sequence[bytes], columns: list[str]) -> pa.Table:
        return self._table.search().where(col("key").isin(list(keys))).select(columns).to_arrow()

    def _intact(self, rows: pa.Table) -> Vectors:
        """The vectors of rows that pass their check, by key."""
        if not rows.num_rows:
            return {}
        rows = rows.combine_chunks()
        matrix = rows["vector"].combine_chunks().flatten().to_numpy().reshape(-1, self.dimensions)
        rows_of = zip(rows["key"].to_pylist(), rows["crc"].to_pylist(), matrix, strict=True)
        return {key: vector for key, crc, vector in rows_of if _passes(key, vector, crc)}

    def _files(self) -> tuple[TableFile, ...]:
        return files_of(self.path, self._table.version)


def _passes(key: bytes | None, vector: npt.NDArray[np.float32], crc: int) -> bool:
    return key is not None and _crc(key, vector) == crc and bool(np.isfinite(vector).all())


def _crc(key: bytes, vector: npt.NDArray[np.float32]) -> int:
    # The key is in it: a damaged page may hand out whole rows, with their checksums, under each other's keys.
    return zlib.crc32(vector.tobytes(), zlib.crc32(key))

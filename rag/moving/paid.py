"""Vectors already paid for, on the move: the rows of a VectorCache that the chunks of one snapshot use.

A file of rows without any header: key (32 bytes), then the vector (d little-endian float32).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.errors import Damaged, StoreError
from rag.tables.lance import lancedb
from rag.tables.vectors import TABLE, VectorCache

_KEY = 32
_AT_ONCE = 4096  # rows


def write_paid(cache: Path, vectors: npt.NDArray[np.float32], target: Path) -> int:
    """Write the rows of the cache in folder `cache` whose vector is one of `vectors` (n, d), each key once. Gives
    their number; 0 where there is no cache, or none that can be read: that costs a payment later, and no answer.

    Found by vector and not by key: the key is made of the text with the headings above it, which the chunk's row does
    not hold in that form.
    """
    if not (cache / f"{TABLE}.lance").is_dir():
        return 0
    wanted = {_short(vector) for vector in vectors}
    try:
        paid = VectorCache(cache, vectors.shape[1])
        keys = _keys_of(cache, vectors.shape[1], wanted)
        written = 0
        with target.open("wb") as writing:
            for start in range(0, len(keys), _AT_ONCE):
                # Read once more by key, because only this checks the rows.
                for key, vector in paid.find(keys[start : start + _AT_ONCE]).items():
                    if _short(vector) in wanted:
                        writing.write(key + vector.astype("<f4").tobytes())
                        written += 1
    except (RuntimeError, StoreError):
        return 0
    return written


def _keys_of(cache: Path, dimensions: int, wanted: Collection[bytes]) -> list[bytes]:
    table = lancedb.connect(str(cache)).open_table(TABLE)
    keys: dict[bytes, None] = {}
    for batch in table.search().select(["key", "vector"]).to_batches(batch_size=_AT_ONCE):
        matrix = batch.column("vector").flatten().to_numpy().reshape(-1, dimensions)
        for key, vector in zip(batch.column("key").to_pylist(), matrix, strict=True):
            if _short(vector) in wanted:
                keys[key] = None
    return list(keys)


def _short(vector: npt.NDArray[np.float32]) -> bytes:
    """Stands for a vector's bytes, so that a set of all of them stays small."""
    return hashlib.blake2b(vector.tobytes(), digest_size=16).digest()


def read_paid(file: Path, dimensions: int) -> Iterator[tuple[list[bytes], npt.NDArray[np.float32]]]:
    """Keys and vectors (m, d), some thousand at a time.

    Raises:
        Damaged: the file is no whole number of rows, or a vector is not finite or not of length 1.
    """
    row = np.dtype([("key", f"V{_KEY}"), ("vector", "<f4", (dimensions,))])
    if file.stat().st_size % row.itemsize:
        raise Damaged(f"{file.name} of the archive is damaged: its last vector is cut off.")
    with file.open("rb") as reading:
        while block := reading.read(row.itemsize * _AT_ONCE):
            rows = np.frombuffer(block, dtype=row)
            vectors = np.ascontiguousarray(rows["vector"], dtype=np.float32)
            # max() is NaN when any length is, which the comparison then refuses.
            if not np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1).max() <= 1e-3:
                raise Damaged(f"{file.name} of the archive is damaged: a vector is not finite or not of length 1.")
            yield [bytes(key) for key in rows["key"].tolist()], vectors

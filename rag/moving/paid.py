"""Vectors already paid for, on the move: the rows of a VectorCache that the chunks of one snapshot use.

A file of rows without any header: key (32 bytes), then the vector (d little-endian float32).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.errors import Damaged
from rag.storage import layout
from rag.tables.vectors import VectorCache

_KEY = 32
_AT_ONCE = 4096  # rows


def write_paid(cache: Path, vectors: npt.NDArray[np.float32], target: Path) -> int:
    """Write the rows of the cache in folder `cache` whose vector is one of `vectors` (n, d), each key once. Gives
    their number. What cannot be read, and of a cache that does not open everything, costs a payment later, and no
    answer.

    Found by vector and not by key: the key is made of the text with the headings above it, which the chunk's row does
    not hold in that form.
    """
    if not (cache / layout.VECTORS_TABLE).is_dir():
        return 0
    wanted = {_short(vector) for vector in vectors}
    written: set[bytes] = set()
    try:
        paid = VectorCache(cache, vectors.shape[1])  # sets a torn newest version aside
        with target.open("wb") as writing:
            for keys, matrix, passed in paid.scan_checked():
                for key, vector, passes in zip(keys, matrix, passed, strict=True):
                    if passes and key not in written and _short(vector) in wanted:
                        writing.write(key + vector.astype("<f4").tobytes())
                        written.add(key)
    except Damaged:
        pass  # what was read before it passed its check, and was paid for
    return len(written)


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

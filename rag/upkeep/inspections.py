"""What Lance tables hold, looked at closely and without writing: chunk tables, and the vector cache of a space."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.errors import Damaged, NotFound, StoreError
from rag.home.place import Place
from rag.manifest import Manifest
from rag.tables.lance_files import shape_of
from rag.tables.reader import TableReader
from rag.tables.vectors import VectorCache

_ROWS_AT_ONCE = 16_384
_SAMPLE = 256
_LENGTH_WITHIN = 1e-3


def chunk_problem(place: Place, manifest: Manifest, *, deep: bool) -> tuple[str, str] | None:
    """The first thing wrong with a snapshot's chunk table as (code, sentence): it opens at the pinned version, is of
    the snapshot's space and dimension, has the rows it should, vectors are finite and of length 1 (all of them when
    `deep`, else a sample, evenly spread), every chunk's source is registered with that many chunks, and its words can
    be searched."""
    pinned = manifest.tables["chunks"]
    named = f"{pinned.path} of snapshot {manifest.snapshot}"
    try:
        table = place.chunks(manifest)
        width = manifest.recipe["embedder"]["dimensions"]
        if (table.space, table.dimensions) != (manifest.space_fp, width):
            return "vectors-foreign", f"{named} has vectors of another space or dimension than the snapshot's."
        reader = table.reader()
        if not reader.count == pinned.rows == manifest.counts.chunks:
            return "rows-wrong", f"{named} has {reader.count:,} rows instead of {manifest.counts.chunks:,}."
        if not reader.count:
            return None
        matrix = reader.exact().matrix if deep else _sampled(reader)
        wrong = 0
        for at in range(0, len(matrix), _ROWS_AT_ONCE):
            lengths = np.linalg.norm(matrix[at : at + _ROWS_AT_ONCE].astype(np.float64), axis=1)
            wrong += int((~(np.abs(lengths - 1) <= _LENGTH_WITHIN)).sum())
        if wrong:
            return "vectors-wrong", f"{named} has {wrong:,} vectors that are not finite or not of length 1."
        counts = reader.scan(["source_id"])["source_id"].value_counts()
        counted = dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))
        rows = place.registry.rows(manifest.tables["sources"].version)
        if counted != {row.source_id: row.chunks for row in rows if row.chunks}:
            return "sources-wrong", f"{named} has chunks of other sources, or other numbers of them, than registered."
        reader.matching(reader.rows_at([0])[0].text[:200], 1)
    except (StoreError, NotFound) as error:
        return "table-unreadable", str(error)
    return None


def _sampled(reader: TableReader) -> npt.NDArray[np.float32]:
    """Vectors of the first row, the last, and others evenly between them, as (n, d)."""
    numbers = np.unique(np.linspace(0, reader.count - 1, min(reader.count, _SAMPLE), dtype=np.int64))
    return np.stack([row.vector for row in reader.rows_at(numbers.tolist(), True) if row.vector is not None])


def fragments(place: Place, manifest: Manifest) -> int:
    """In how many pieces a snapshot's chunks lie; 0 where that cannot be told."""
    pinned = manifest.tables["chunks"]
    try:
        return shape_of(place.table_folder(pinned.path), pinned.version).fragments
    except Damaged:
        return 0


@dataclass(frozen=True)
class CacheLook:
    """Different keys that count, rows that fail their checksum with no good row of their key (looked at only when
    deep), and why the table cannot be read, in a sentence ("" when it can)."""

    keys: int
    wrong: int = 0
    problem: str = ""


def look_at_cache(folder: Path, dimensions: int, *, deep: bool) -> CacheLook:
    """The vector cache in `folder`. All keys are read; `deep` reads the vectors too and compares their CRC-32."""
    try:
        cache = VectorCache(folder, dimensions, looking=True)
        rows, found = len(cache), cache.keys()
        if len(found) != rows:
            return CacheLook(0, 0, f"{cache.name} gives {len(found):,} of {rows:,} rows.")
        if not deep:
            return CacheLook(len(found.unique()))
        good: set[bytes] = set()
        bad: set[bytes] = set()
        for keys, _, passed in cache.scan_checked():
            for key, passes in zip(keys, passed, strict=True):
                (good if passes else bad).add(key)
    except (NotFound, Damaged) as error:
        return CacheLook(0, 0, str(error))
    return CacheLook(len(good), len(bad - good))


def different_texts(place: Place, manifest: Manifest) -> int:
    """How many different texts the model was sent for a snapshot, at least: headings are sent along, names are not."""
    try:
        found = place.chunks(manifest).scan(["text"])
    except (StoreError, NotFound):
        return 0
    return len(found["text"].unique())


def cached_keys(folder: Path, dimensions: int) -> set[bytes]:
    """Keys of the cached vectors that pass their check; what could be read, where the table is damaged. Reads all
    vectors."""
    found: set[bytes] = set()
    with suppress(Damaged, NotFound):
        for keys, _, passed in VectorCache(folder, dimensions, looking=True).scan_checked():
            found.update(key for key, good in zip(keys, passed, strict=True) if good)
    return found

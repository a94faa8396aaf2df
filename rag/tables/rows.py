"""Reading the rows of one version of a table of chunks, which never changes.

What is loaded (the matrix, the ids, the metadata) is loaded once and shared by all threads.

Rows are numbered 0 … n-1 in the order of the version's scan. Row numbers belong to a reader, never to the table.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rag.errors import Damaged
from rag.tables.chunk_rows import COLUMNS, COLUMNS_1, ChunkRow, description, encodable, from_arrow, is_analysed
from rag.tables.lance import Expr, col
from rag.tables.lance_errors import reading
from rag.tables.lance_queries import pinned_table, result

_IDS_IN_FILTER = 64  # up to so many ids are looked up by a scan, as long as those of all rows are not in memory

_PLACE = ("id", "source_id", "page", "page_end", "start", "end", "heading")
"""Some 100 bytes per chunk. Reading them for each question took half as long again as its texts alone."""

T = TypeVar("T")


class RowReader:
    """One version of a table, read-only. Safe to share between threads.

    Every method raises `Damaged` where a file of the version is missing, truncated or unreadable.
    """

    def __init__(self, path: Path, version: int) -> None:
        """Open the table of that path at that version.

        Raises:
            Damaged: the version's manifest is missing or unreadable, or it is no table of Ragbook.
            NewerFormat: a newer Ragbook wrote it.
        """
        self.path, self.version = path, version
        self._lock = threading.RLock()
        self._loaded: dict[str, Any] = {}
        with reading(path, version):
            self._table = pinned_table(path, version)
            schema = result(self._table.schema())
        described = description(path, schema)
        self.dimensions, self.space = int(described["dimensions"]), str(described["space"])
        self.analysed = is_analysed(schema)
        self._columns = COLUMNS if self.analysed else COLUMNS_1
        self._placed = False

    @cached_property
    def count(self) -> int:
        """How many rows the version has."""
        with reading(self.path, self.version):
            return int(result(self._table.count_rows()))

    def ids(self) -> tuple[str, ...]:
        """Chunk ids by row number."""
        return self._once("ids", lambda: tuple(self.places()["id"].to_pylist()))

    def source_ids(self) -> tuple[str, ...]:
        """Source ids by row number."""
        return self._once("source_ids", lambda: tuple(self.places()["source_id"].to_pylist()))

    def places(self) -> pa.Table:
        """Where each chunk stands, by row number: `id`, `source_id`, `page`, `page_end`, `start`, `end` and `heading`.
        Resident, each column in one piece."""
        return self._once("places", lambda: self.scan(_PLACE).combine_chunks())

    def metadata(self) -> tuple[dict[str, Any], ...]:
        """Metadata by row number, parsed once. Shared: not to be changed."""
        return self._once(
            "metadata", lambda: tuple(json.loads(one) for one in self._scan(("metadata",))["metadata"].to_pylist())
        )

    def numbers(self, ids: Iterable[str]) -> list[int]:
        """Row numbers of `ids` in the order given; unknown ids are left out."""
        known = self._once("numbers", lambda: {one: number for number, one in enumerate(self.ids())})
        return [known[one] for one in ids if one in known]

    def rows_where(
        self,
        *,
        ids: Iterable[str] | None = None,
        source_ids: Iterable[str] | None = None,
        keep: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> NDArray[np.int64] | None:
        """Numbers of the rows that meet every condition given, rising; None where none is given (all rows)."""
        if ids is None and source_ids is None and keep is None:
            return None
        passing = np.ones(self.count, dtype=bool)
        if ids is not None:
            named = np.zeros(self.count, dtype=bool)
            named[self.numbers(ids)] = True
            passing &= named
        if source_ids is not None:
            wanted = set(source_ids)
            passing &= np.fromiter((one in wanted for one in self.source_ids()), dtype=bool, count=self.count)
        if keep is not None:
            metadata = self.metadata()
            for number in np.flatnonzero(passing):
                passing[number] = keep(metadata[number])
        return np.flatnonzero(passing)

    def rows_at(self, numbers: Sequence[int], with_vectors: bool = False) -> list[ChunkRow]:
        """The rows of those numbers, in the order given."""
        columns = [*self._columns, *(["vector"] if with_vectors else [])]
        return self._taken(numbers, columns, lambda taken: from_arrow(taken, self.path))

    def passages_at(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """`text` and the columns of `places` of the rows of those numbers, in the order given.

        Places are read from the table for the first question, which is in a hurry, and are resident from the second on.
        """
        if self._placed or "places" in self._loaded:
            texts = self._taken(numbers, ["text"], lambda taken: taken["text"].to_pylist())
            places = self.places().take(pa.array(numbers, pa.int64()))
            found: list[dict[str, Any]] = places.append_column("text", pa.array(texts, pa.string())).to_pylist()
            return found
        self._placed = True
        return self._taken(numbers, ["text", *_PLACE], lambda taken: taken.to_pylist())

    def rows(self, ids: Sequence[str], with_vectors: bool = False) -> list[ChunkRow]:
        """The rows of `ids`, in the order given; unknown ids are left out."""
        if len(ids) <= _IDS_IN_FILTER and "places" not in self._loaded:
            # Without the ids of all rows in memory, which only a search needs.
            columns = (*self._columns, "vector") if with_vectors else self._columns
            asked = sorted({one for one in ids if encodable(one)})
            found = from_arrow(self._scan(columns, col("id").isin(asked)), self.path) if asked else []
            by_id = {row.id: row for row in found}
            return [by_id[one] for one in ids if one in by_id]
        return self.rows_at(self.numbers(ids), with_vectors)

    def rows_of_source(self, source_id: str, with_vectors: bool = False) -> list[ChunkRow]:
        """All chunks of one source, by ordinal."""
        columns = (*self._columns, "vector") if with_vectors else self._columns
        if not encodable(source_id):
            return []
        found = from_arrow(self._scan(columns, col("source_id").isin([source_id])), self.path)
        return sorted(found, key=lambda row: (row.ordinal, row.id))

    def beside(self, rows: Sequence[ChunkRow]) -> list[ChunkRow]:
        """Those rows and the ones right before and after them in their sources, by source and ordinal."""
        places = {(row.source_id, row.ordinal + step) for row in rows for step in (-1, 0, 1)}
        if not places:
            return []
        near = col("source_id").isin(sorted({source_id for source_id, _ in places})) & col("ordinal").isin(
            sorted({ordinal for _, ordinal in places})
        )
        found = from_arrow(self._scan(self._columns, near), self.path)
        beside = [row for row in found if (row.source_id, row.ordinal) in places]
        return sorted(beside, key=lambda row: (row.source_id, row.ordinal, row.id))

    def scan(self, columns: Sequence[str]) -> pa.Table:
        """Those columns of all rows, by row number."""
        return self._scan(tuple(columns)).select(list(columns))

    def _once(self, name: str, load: Callable[[], T]) -> T:
        # One lock for all: two threads that ask for the matrix must not both load it.
        if name not in self._loaded:
            with self._lock:
                if name not in self._loaded:
                    self._loaded[name] = load()
        return cast(T, self._loaded[name])

    def _scan(self, columns: tuple[str, ...], where: Expr | None = None) -> pa.Table:
        query = self._table.query().select([*columns, "_rowid"])
        with reading(self.path, self.version):
            found = result((query if where is None else query.where(where)).to_arrow())
        if where is None and found.num_rows != self.count:
            raise Damaged(
                f"{self.path.name} version {self.version} is damaged: {found.num_rows} of {self.count} rows came back."
            )
        return found

    def _taken(
        self, numbers: Sequence[int], columns: Sequence[str], made: Callable[[pa.Table], Sequence[T]]
    ) -> list[T]:
        """What `made` makes of each of those rows, in the order given."""
        if not len(numbers):
            return []
        wanted = self._row_ids()[np.asarray(numbers, dtype=np.int64)].tolist()
        unique = sorted(set(wanted))
        with reading(self.path, self.version):
            # take_row_ids promises no order.
            taken = result(self._table.take_row_ids(unique).select(["_rowid", *columns]).to_arrow())
        found = dict(zip(taken["_rowid"].to_pylist(), made(taken), strict=True))
        if len(found) != len(unique):
            raise Damaged(f"{self.path.name} version {self.version} is damaged: rows are missing.")
        return [found[one] for one in wanted]

    def _row_ids(self) -> NDArray[np.uint64]:
        """Lance's address of each row of this version, by row number; rising."""
        return self._once("row_ids", lambda: rising(self._scan(())["_rowid"].to_numpy(), self.path))


def rising(row_ids: NDArray[np.uint64], path: Path) -> NDArray[np.uint64]:
    """The same addresses, which must rise: full text and the order among equals rest on it, and Lance scans in order
    unless told otherwise. Raises Damaged."""
    if len(row_ids) > 1 and not bool((row_ids[1:] > row_ids[:-1]).all()):
        raise Damaged(f"{path.name} is damaged: rows came back out of order.")
    return row_ids

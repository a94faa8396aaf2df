"""Reading one version of a table of chunks, which never changes: rows, vectors and full text.

What is loaded (the matrix, the ids, the metadata) is loaded once and shared by all threads.

Rows are numbered 0 … n-1 in the order of the version's scan. Row numbers belong to a reader, never to the table.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rag.errors import Damaged
from rag.tables.chunk_rows import COLUMNS, COLUMNS_1, ChunkRow, description, encodable, from_arrow, is_analysed
from rag.tables.exact import ExactIndex
from rag.tables.frequencies import Frequencies
from rag.tables.lance import Expr, MatchQuery, col
from rag.tables.lance_errors import reading
from rag.tables.lance_queries import batches, begin, pinned_table, result
from rag.tables.text_index import TEXT_INDEX, flat_matches, indexed_column
from rag.text.analysis import asked

_ZERO_COPY_ROWS = 131_072  # up to here one batch becomes the matrix itself; above, batches are copied into it
_IDS_IN_FILTER = 64  # up to so many ids are looked up by a scan, as long as those of all rows are not in memory
_COUNTED = 2048  # chunks whose terms are counted, at most: 0.2 s once
_ROW_IDS_IN_SQL = 5000  # more allowed rows than this: search all, then drop the others
_TIES = 64  # asked for beyond k, so that the order among equal scores is ours

_PLACE = ("id", "source_id", "page", "page_end", "start", "end", "heading")
"""Some 100 bytes per chunk. Reading them for each question took half as long again as its texts alone."""

T = TypeVar("T")


@dataclass(frozen=True)
class Begun:
    """Full-text search under way: the terms looked for, how many chunks, and what Lance will give; None without an
    index, where nothing can be begun."""

    words: str
    k: int
    found: Future[pa.Table] | None


class TableReader:
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

    def exact(self) -> ExactIndex:
        """All vectors, resident; row numbers are this reader's."""
        return self._once("exact", self._load_exact)

    def ids(self) -> tuple[str, ...]:
        """Chunk ids by row number."""
        return self._once("ids", lambda: tuple(self.places()["id"].to_pylist()))

    def source_ids(self) -> tuple[str, ...]:
        """Source ids by row number."""
        return self._once("source_ids", lambda: tuple(self.places()["source_id"].to_pylist()))

    def languages(self) -> tuple[str, ...]:
        """Languages of the chunks by row number; all empty in a table of format 1."""
        return self._once(
            "languages",
            lambda: tuple(self._scan(("language",))["language"].to_pylist()) if self.analysed else ("",) * self.count,
        )

    def spoken(self) -> frozenset[str]:
        """The languages that there are chunks in."""
        return self._once("spoken", lambda: frozenset(self.languages()))

    def frequencies(self) -> Frequencies | None:
        """In how many chunks each term stands; None in a table of format 1, which has no terms. Of a table with more
        than 2,048 chunks as many are counted, from all over it: those of rare words differ little."""
        return self._once("frequencies", self._count_terms) if self.analysed else None

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

    def nearest(
        self, query: Sequence[float] | NDArray[np.floating], k: int, rows: NDArray[np.integer] | None = None
    ) -> list[tuple[int, float]]:
        """Row number and cosine of the `k` nearest chunks, nearest first; among `rows` only, if given."""
        return self.exact().top(query, k, rows)

    def cosines(self, query: Sequence[float] | NDArray[np.floating], numbers: Sequence[int]) -> list[tuple[int, float]]:
        """Row number and cosine of those rows, in the order given."""
        return list(
            zip(numbers, self.exact().cosines(query, np.asarray(numbers, dtype=np.int64)).tolist(), strict=True)
        )

    @property
    def resident(self) -> bool:
        """Whether the vectors are in memory, and what is read along with them."""
        return "exact" in self._loaded

    def matching(
        self, query: str, k: int, rows: NDArray[np.integer] | None = None, begun: Begun | None = None
    ) -> list[tuple[int, float]]:
        """Row number and BM25 of the `k` best chunks that hold any word of `query`, best first; equal ones by number.

        Any text is a query: quotes, operators and wildcards are punctuation. Nothing to look for: an empty list.
        `begun` is what `begin_matching` gave for the same.
        """
        begun = begun or self.begin_matching(query, k, rows)
        if begun.found is not None:
            found = self._indexed_matches(begun.found, rows)
        else:
            found = self._flat_matches(begun.words, rows) if begun.words else []
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[: begun.k]

    def begin_matching(self, query: str, k: int, rows: NDArray[np.integer] | None = None) -> Begun:
        """Let Lance begin, in threads of its own, with what `matching` waits for."""
        k = min(k, self.count if rows is None else len(rows))
        words = query.encode("utf-8", "replace").decode()
        if k > 0 and self.analysed:
            words = " ".join(asked(words, self.spoken()))
        if k <= 0 or not words.strip():
            return Begun("", 0, None)
        indexed = self._once("indexed", self._is_indexed)
        return Begun(words, k, self._begin_indexed(words, k, rows) if indexed else None)

    def full_text(
        self, query: str, k: int, *, ids: Iterable[str] | None = None, source_ids: Iterable[str] | None = None
    ) -> list[tuple[str, float]]:
        """Chunk id and BM25 of the `k` best chunks, best first; among `ids` and `source_ids` only, if given."""
        hits = self.matching(query, k, self.rows_where(ids=ids, source_ids=source_ids))
        names = self.ids() if hits else ()
        return [(names[number], score) for number, score in hits]

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
        return self._once("row_ids", lambda: _rising(self._scan(())["_rowid"].to_numpy(), self.path))

    def _load_exact(self) -> ExactIndex:
        width = self.dimensions
        matrix = np.empty((0, width), dtype=np.float32)
        row_ids: list[NDArray[np.uint64]] = []
        languages: list[str] = []
        filled = 0
        # Small tables: one batch, whose memory becomes the matrix. Large ones: never twice in memory.
        whole = self.count <= _ZERO_COPY_ROWS
        with reading(self.path, self.version):
            # The languages along with them: a scan of their own would take as long again.
            query = self._table.query().select(["vector", "_rowid", *(["language"] if self.analysed else [])])
            for batch in batches(query, max(1, self.count) if whole else 16_384):
                part = batch.column(0).flatten().to_numpy().reshape(-1, width)
                row_ids.append(batch.column(1).to_numpy())
                if self.analysed:
                    languages += batch.column(2).to_pylist()
                if len(part) == self.count:
                    matrix = part
                elif filled + len(part) <= self.count:
                    if not filled:
                        matrix = np.empty((self.count, width), dtype=np.float32)
                    matrix[filled : filled + len(part)] = part
                filled += len(part)
        if filled != self.count:
            raise Damaged(f"{self.path.name} version {self.version} is damaged: {filled} of {self.count} vectors.")
        ids = np.concatenate(row_ids) if row_ids else np.empty(0, dtype=np.uint64)
        self._loaded.setdefault("row_ids", _rising(ids, self.path))
        if self.analysed:
            self._loaded.setdefault("languages", tuple(languages))
        return ExactIndex(matrix)

    def _count_terms(self) -> Frequencies:
        if self.count <= _COUNTED:
            found = self._scan(("terms",))["terms"].to_pylist()
        else:
            numbers = np.linspace(0, self.count - 1, _COUNTED).astype(np.int64).tolist()
            found = self._taken(numbers, ["terms"], lambda taken: taken["terms"].to_pylist())
        having: Counter[str] = Counter()
        length = 0
        for terms_of in found:
            words = terms_of.split(" ")
            length += len(words)
            having.update(set(words))
        return Frequencies(having, len(found), length / max(1, len(found)), self._stands)

    def _stands(self, term: str) -> bool:
        """Whether any chunk has that term; searched for only where not all were counted."""
        counted: Frequencies = self._loaded["frequencies"]
        if term in counted.having or counted.rows == self.count:
            return term in counted.having
        if self._once("indexed", self._is_indexed):
            return bool(self._indexed_matches(self._begin_indexed(term, 1, None), None))
        return bool(self._flat_matches(term, None))

    def _is_indexed(self) -> bool:
        with reading(self.path, self.version):
            return any(index.name == TEXT_INDEX for index in result(self._table.list_indices()))

    def _begin_indexed(self, words: str, k: int, rows: NDArray[np.integer] | None) -> Future[pa.Table]:
        # A MatchQuery and not a string: in a string, quotes ask for a phrase, which the index cannot find.
        match = MatchQuery(words, indexed_column(self.analysed))  # type: ignore[call-arg] # its defaults are hidden
        query = self._table.query().nearest_to_text(match).select(["_rowid", "_score"])
        if rows is not None and len(rows) <= _ROW_IDS_IN_SQL:
            query = query.where(f"_rowid IN ({','.join(str(one) for one in self._row_ids()[rows])})")
            rows = None
        return begin(query.limit(k + _TIES if rows is None else self.count).to_arrow())

    def _indexed_matches(self, searched: Future[pa.Table], rows: NDArray[np.integer] | None) -> list[tuple[int, float]]:
        with reading(self.path, self.version):
            found = result(searched)
        numbers = np.searchsorted(self._row_ids(), found["_rowid"].to_numpy())
        hits = zip(numbers.tolist(), found["_score"].to_pylist(), strict=True)
        if rows is not None and len(rows) > _ROW_IDS_IN_SQL:
            allowed = set(np.asarray(rows).tolist())
            return [hit for hit in hits if hit[0] in allowed]
        return list(hits)

    def _flat_matches(self, words: str, rows: NDArray[np.integer] | None) -> list[tuple[int, float]]:
        column = indexed_column(self.analysed)
        scores = flat_matches(words, self._scan((column,))[column].to_pylist(), analysed=self.analysed)
        allowed = None if rows is None else set(rows.tolist())
        return [(number, score) for number, score in scores.items() if allowed is None or number in allowed]


def _rising(row_ids: NDArray[np.uint64], path: Path) -> NDArray[np.uint64]:
    # The search in _indexed_matches and the tie order rest on it; Lance scans in order unless told otherwise.
    if len(row_ids) > 1 and not bool((row_ids[1:] > row_ids[:-1]).all()):
        raise Damaged(f"{path.name} is damaged: rows came back out of order.")
    return row_ids

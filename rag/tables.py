"""The chunk rows of one notebook and recipe, in one Lance table in a local folder.

`ChunkTable` writes, one Lance commit per write. `TableReader` reads one version, which never changes under it; what
is loaded (the matrix, the ids, the metadata) is loaded once and shared by all threads.

Rows are numbered 0 … n-1 in the order of the version's scan. Row numbers belong to a reader, never to the table.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from math import log
from pathlib import Path
from typing import Any, TypeVar, cast

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.expr import Expr, col
from lancedb.index import FTS
from lancedb.query import MatchQuery
from numpy.typing import NDArray

from rag.analysis import asked, terms
from rag.coverage import Frequencies
from rag.errors import (
    AlreadyExists,
    Conflict,
    Damaged,
    DiskFull,
    NewerFormat,
    NotFound,
    NotWritable,
    RagbookError,
    StoreError,
    VectorInvalid,
)
from rag.exact import ExactIndex
from rag.lance_files import files_of, latest_version, set_aside_torn, shape_of

FORMAT = 2
"""2 has the columns `language` and `terms`, and its text index on `terms`. Tables of 1 are used as they are."""
_MARK = b"ragbook"
_TEXT_INDEX = "text_idx"

# Of format 1, whose index is on `text`.
# Measured on German, Chinese, Japanese, Korean and English sentences: `simple` finds no Chinese or Japanese word at
# all, because it cuts at spaces only; `icu` finds them, but keeps `rag.store`, `foo_bar` and `v2.3.1` whole;
# `icu/split` finds the words and their parts. Its built-in stop words are those of all languages at once: it drops
# `dog` (Danish) and `cat`. Hence our own short English list; with `remove_stop_words=False` every question with a
# `the` in it would find every chunk. Stems are English: German plurals and compounds, and Korean words with their
# endings, are found by the vectors only. No positions: quoted phrases are not asked for, and the index stays small.
_STOP_WORDS = (
    "a an and are as at be but by for from had has have if in into is it its no not of on or such that the their then "
    "there these they this to was were will with what which who whom whose how when where why do does did"
)
_TOKENS: dict[str, Any] = {"base_tokenizer": "icu/split", "custom_stop_words": _STOP_WORDS.split()}

# Of format 2: `terms` holds what is to be found, with a space between each two, and Lance changes nothing about it.
_TERMS: dict[str, Any] = {
    "base_tokenizer": "whitespace",
    "lower_case": False,
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": False,
    "max_token_length": None,
}

# `optimize()` copies all data and the whole text index, rebuilding the index copies the index, and a query pays for
# each row not yet in it (15 to 75 µs) and each fragment. Hence rarely, and each for its own reason.
_FRAGMENTS_AT_MOST = 32
_WAITING_AT_LEAST, _WAITING_AT_MOST, _WAITING_SHARE = 64, 2000, 50
_DELETED_AT_LEAST = 1024
_KEEP_ALL_VERSIONS = timedelta(days=36500)  # manifests pin old versions: only their owner may retire them
_ATTEMPTS = 5

_ZERO_COPY_ROWS = 131_072  # up to here one batch becomes the matrix itself; above, batches are copied into it
_IDS_IN_FILTER = 64  # up to so many ids are looked up by a scan, as long as those of all rows are not in memory
_COUNTED = 2048  # chunks whose terms are counted, at most: 0.2 s once
_ROW_IDS_IN_SQL = 5000  # more allowed rows than this: search all, then drop the others
_TIES = 64  # asked for beyond k, so that the order among equal scores is ours

_PLACES = ("page", "page_end", "start", "end")
_COLUMNS_1 = ("id", "source_id", "ordinal", "text", *_PLACES, "heading", "metadata", "node")
_COLUMNS = (*_COLUMNS_1, "language")

T = TypeVar("T")


@dataclass(frozen=True)
class ChunkRow:
    """One chunk: a passage of a source, where it stands, and its vector.

    Attributes:
        ordinal: position among the chunks of its source, from 0.
        page, page_end: first and last page, from 1; None where the format has no pages.
        start, end: character range in the source's text.
        metadata: JSON; what filters look at.
        language: ISO 639-1 code of the language its words are analysed in; empty where unknown, and in format 1.
        node: JSON of what a llama-index node needs beyond these; None for chunks written by the pipeline.
        vector: float32 (d,), L2-normalised; None when read without.
    """

    id: str
    source_id: str
    ordinal: int
    text: str
    page: int | None = None
    page_end: int | None = None
    start: int | None = None
    end: int | None = None
    heading: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    node: dict[str, Any] | None = None
    vector: NDArray[np.float32] | None = field(default=None, compare=False)
    language: str = ""


class TableReader:
    """One version of a table, read-only. Safe to share between threads.

    Every method raises `Damaged` where a file of the version is missing, truncated or unreadable.
    """

    def __init__(self, table: Any, path: Path, version: int, dimensions: int) -> None:
        self.path, self.version, self.dimensions = path, version, dimensions
        self._table = table
        self._lock = threading.RLock()
        self._loaded: dict[str, Any] = {}
        with _reading(path, version):
            self.count = int(table.count_rows())
            self._analysed = _is_analysed(table.schema)
        self._columns = _COLUMNS if self._analysed else _COLUMNS_1

    def exact(self) -> ExactIndex:
        """All vectors, resident; row numbers are this reader's."""
        return self._once("exact", self._load_exact)

    def ids(self) -> tuple[str, ...]:
        """Chunk ids by row number."""
        return self._once("keys", self._load_keys)[0]

    def source_ids(self) -> tuple[str, ...]:
        """Source ids by row number."""
        return self._once("keys", self._load_keys)[1]

    def languages(self) -> tuple[str, ...]:
        """Languages of the chunks by row number; all empty in a table of format 1."""
        return self._once(
            "languages",
            lambda: tuple(self._scan(("language",))["language"].to_pylist()) if self._analysed else ("",) * self.count,
        )

    def frequencies(self) -> Frequencies | None:
        """In how many chunks each term stands; None in a table of format 1, which has no terms. Of a table with more
        than 2,048 chunks as many are counted, from all over it: those of rare words differ little."""
        return self._once("frequencies", self._count_terms) if self._analysed else None

    def metadata(self) -> tuple[dict[str, Any], ...]:
        """Metadata by row number, parsed once. Shared: not to be changed."""
        return self._once(
            "metadata", lambda: tuple(json.loads(one) for one in self._scan(("metadata",))["metadata"].to_pylist())
        )

    def numbers(self, ids: Iterable[str]) -> list[int]:
        """Row numbers of `ids` in the order given; unknown ids are left out."""
        places = self._once("places", lambda: {one: number for number, one in enumerate(self.ids())})
        return [places[one] for one in ids if one in places]

    def nearest(
        self, query: Sequence[float] | NDArray[np.floating], k: int, rows: NDArray[np.integer] | None = None
    ) -> list[tuple[int, float]]:
        """Row number and cosine of the `k` nearest chunks, nearest first; among `rows` only, if given."""
        return self.exact().top(query, k, rows)

    def matching(self, query: str, k: int, rows: NDArray[np.integer] | None = None) -> list[tuple[int, float]]:
        """Row number and BM25 of the `k` best chunks that hold any word of `query`, best first; equal ones by number.

        Any text is a query: quotes, operators and wildcards are punctuation. Nothing to look for: an empty list.
        """
        k = min(k, self.count if rows is None else len(rows))
        words = query.encode("utf-8", "replace").decode()
        if k > 0 and self._analysed:
            words = " ".join(asked(words, self._once("spoken", lambda: frozenset(self.languages()))))
        if k <= 0 or not words.strip():
            return []
        indexed = self._once("indexed", self._is_indexed)
        found = self._indexed_matches(words, k, rows) if indexed else self._flat_matches(words, rows)
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]

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
        if not numbers:
            return []
        wanted = [int(one) for one in self._row_ids()[np.asarray(numbers, dtype=np.int64)]]
        columns = ["_rowid", *self._columns, *(["vector"] if with_vectors else [])]
        with _reading(self.path, self.version):
            # take_row_ids promises no order.
            taken = self._table.take_row_ids(sorted(set(wanted))).select(columns).to_arrow()
        row_ids = taken["_rowid"].to_pylist()
        found = dict(zip(row_ids, _from_arrow(taken, self.path), strict=True))
        if len(found) != len(set(wanted)):
            raise Damaged(f"{self.path.name} version {self.version} is damaged: rows are missing.")
        return [found[one] for one in wanted]

    def rows(self, ids: Sequence[str], with_vectors: bool = False) -> list[ChunkRow]:
        """The rows of `ids`, in the order given; unknown ids are left out."""
        if len(ids) <= _IDS_IN_FILTER and "places" not in self._loaded:
            # Without the ids of all rows in memory, which only a search needs.
            columns = (*self._columns, "vector") if with_vectors else self._columns
            asked = sorted({one for one in ids if _encodable(one)})
            found = _from_arrow(self._scan(columns, col("id").isin(asked)), self.path) if asked else []
            by_id = {row.id: row for row in found}
            return [by_id[one] for one in ids if one in by_id]
        return self.rows_at(self.numbers(ids), with_vectors)

    def rows_of_source(self, source_id: str, with_vectors: bool = False) -> list[ChunkRow]:
        """All chunks of one source, by ordinal."""
        columns = (*self._columns, "vector") if with_vectors else self._columns
        if not _encodable(source_id):
            return []
        found = _from_arrow(self._scan(columns, col("source_id").isin([source_id])), self.path)
        return sorted(found, key=lambda row: (row.ordinal, row.id))

    def beside(self, rows: Sequence[ChunkRow]) -> list[ChunkRow]:
        """Those rows and the ones right before and after them in their sources, by source and ordinal."""
        places = {(row.source_id, row.ordinal + step) for row in rows for step in (-1, 0, 1)}
        if not places:
            return []
        near = col("source_id").isin(sorted({source_id for source_id, _ in places})) & col("ordinal").isin(
            sorted({ordinal for _, ordinal in places})
        )
        found = _from_arrow(self._scan(self._columns, near), self.path)
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
        query = self._table.search().select([*columns, "_rowid"])
        with _reading(self.path, self.version):
            found = (query if where is None else query.where(where)).to_arrow()
        if where is None and found.num_rows != self.count:
            raise Damaged(
                f"{self.path.name} version {self.version} is damaged: {found.num_rows} of {self.count} rows came back."
            )
        return found

    def _row_ids(self) -> NDArray[np.uint64]:
        """Lance's address of each row of this version, by row number; rising."""
        return self._once("row_ids", lambda: _rising(self._scan(())["_rowid"].to_numpy(), self.path))

    def _load_keys(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found = self._scan(("id", "source_id"))
        return tuple(found["id"].to_pylist()), tuple(found["source_id"].to_pylist())

    def _load_exact(self) -> ExactIndex:
        width = self.dimensions
        matrix = np.empty((0, width), dtype=np.float32)
        row_ids: list[NDArray[np.uint64]] = []
        languages: list[str] = []
        filled = 0
        # Small tables: one batch, whose memory becomes the matrix. Large ones: never twice in memory.
        whole = self.count <= _ZERO_COPY_ROWS
        with _reading(self.path, self.version):
            # The languages along with them: a scan of their own would take as long again.
            query = self._table.search().select(["vector", "_rowid", *(["language"] if self._analysed else [])])
            for batch in query.to_batches(batch_size=max(1, self.count) if whole else 16_384):
                part = batch.column(0).flatten().to_numpy().reshape(-1, width)
                row_ids.append(batch.column(1).to_numpy())
                if self._analysed:
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
        if self._analysed:
            self._loaded.setdefault("languages", tuple(languages))
        return ExactIndex(matrix)

    def _count_terms(self) -> Frequencies:
        if self.count <= _COUNTED:
            found = self._scan(("terms",))
        else:
            wanted = self._row_ids()[np.linspace(0, self.count - 1, _COUNTED).astype(np.int64)]
            with _reading(self.path, self.version):
                found = self._table.take_row_ids(wanted.tolist()).select(["terms"]).to_arrow()
        having: Counter[str] = Counter()
        length = 0
        for terms_of in found["terms"].to_pylist():
            words = terms_of.split(" ")
            length += len(words)
            having.update(set(words))
        return Frequencies(having, found.num_rows, length / max(1, found.num_rows), self._stands)

    def _stands(self, term: str) -> bool:
        """Whether any chunk has that term; searched for only where not all were counted."""
        counted: Frequencies = self._loaded["frequencies"]
        if term in counted.having or counted.rows == self.count:
            return term in counted.having
        indexed = self._once("indexed", self._is_indexed)
        return bool(self._indexed_matches(term, 1, None) if indexed else self._flat_matches(term, None))

    def _is_indexed(self) -> bool:
        with _reading(self.path, self.version):
            return any(index.name == _TEXT_INDEX for index in self._table.list_indices())

    def _indexed_matches(self, words: str, k: int, rows: NDArray[np.integer] | None) -> list[tuple[int, float]]:
        row_ids = self._row_ids()
        # A MatchQuery and not a string: in a string, quotes ask for a phrase, which the index cannot find.
        match = MatchQuery(words, "terms" if self._analysed else "text")  # type: ignore[call-arg] # its defaults are hidden
        query = self._table.search(match).select(["_rowid", "_score"])
        afterwards = rows is not None and len(rows) > _ROW_IDS_IN_SQL
        if rows is not None and not afterwards:
            query = query.where(f"_rowid IN ({','.join(str(one) for one in row_ids[rows])})")
        with _reading(self.path, self.version):
            found = query.limit(self.count if afterwards else k + _TIES).to_arrow()
        numbers = np.searchsorted(row_ids, found["_rowid"].to_numpy())
        hits = zip(numbers.tolist(), found["_score"].to_pylist(), strict=True)
        if afterwards:
            allowed = set(np.asarray(rows).tolist())
            return [hit for hit in hits if hit[0] in allowed]
        return list(hits)

    def _flat_matches(self, words: str, rows: NDArray[np.integer] | None) -> list[tuple[int, float]]:
        """BM25 without an index: a table whose index was lost still answers, only slower."""
        column, split = ("terms", str.split) if self._analysed else ("text", _tokens)
        wanted = set(split(words))
        texts = [Counter(split(text)) for text in self._scan((column,))[column].to_pylist()]
        lengths = [sum(counts.values()) for counts in texts]
        average = sum(lengths) / len(lengths) or 1.0
        scores: dict[int, float] = {}
        for term in sorted(wanted):
            having = [number for number, counts in enumerate(texts) if term in counts]
            weight = log(1 + (len(texts) - len(having) + 0.5) / (len(having) + 0.5))
            for number in having:
                times = texts[number][term]
                part = times * 2.2 / (times + 1.2 * (0.25 + 0.75 * lengths[number] / average))
                scores[number] = scores.get(number, 0.0) + weight * part
        allowed = None if rows is None else set(rows.tolist())
        return [(number, score) for number, score in scores.items() if allowed is None or number in allowed]


class ChunkTable:
    """The table, at one version. Reads go to a reader of that version; each write is one commit and moves it on.

    Opened with a version, it is pinned to it: every write raises `NotWritable`. Reads are safe from many threads;
    writes wait for each other within the object.

    Every write checks its vectors (`VectorInvalid`: not float32 of shape (d,), not finite, or not of length 1 within
    0.001) and raises `DiskFull`, `NotWritable`, `Conflict` or `StoreError`; nothing is committed then.
    """

    def __init__(self, path: Path, version: int | None, table: Any) -> None:
        """Use `create` or `open`."""
        self.path = path
        self._pinned = version is not None
        self._table = table
        self._lock = threading.RLock()
        with _reading(path, version):
            self._version = int(table.version)
            schema = table.schema
        described = _described(path, schema)
        self._analysed = _is_analysed(schema)
        self.dimensions, self.space = int(described["dimensions"]), str(described["space"])
        self._reader: TableReader | None = None

    @classmethod
    def create(cls, folder: Path, name: str, dimensions: int, space: str) -> ChunkTable:
        """A new, empty table `<folder>/<name>.lance` for vectors of `dimensions` numbers of `space`.

        Raises:
            AlreadyExists: there is one.
        """
        path = folder / f"{name}.lance"
        if latest_version(path) is not None:
            raise AlreadyExists(f"{path} exists already.")
        with _writing(path):
            table = lancedb.connect(folder).create_table(name, schema=_schema(dimensions, space))
            # While still empty: rows added later are found without being in the index, and readers never write one.
            _create_text_index(table)
        return cls(path, None, table)

    @classmethod
    def open(cls, folder: Path, name: str, version: int | None = None) -> ChunkTable:
        """The table `<folder>/<name>.lance` at its newest version, or pinned, read-only, to `version`.

        Raises:
            NotFound: there is no such table.
            Damaged: the version's manifest is missing or unreadable, or it is no table of Ragbook.
            NewerFormat: a newer Ragbook wrote it.
        """
        path = folder / f"{name}.lance"
        newest = latest_version(path)
        if newest is None:  # asked first: lancedb would make the folder
            raise NotFound(f"There is no table {path}.")
        with _reading(path, version):
            table = lancedb.connect(folder).open_table(name, version=version)
        opened = cls(path, version, table)
        if version is None and opened.version != newest:
            # Lance falls back to the version before without a word.
            raise Damaged(f"{path.name} is damaged: version {newest} cannot be opened.")
        return opened

    @property
    def version(self) -> int:
        """Lance's number of this version; it rises with every commit."""
        return self._version

    @property
    def count(self) -> int:
        """How many chunks this version has."""
        return self.reader().count

    @property
    def pinned(self) -> bool:
        """Whether writes are refused."""
        return self._pinned

    def reader(self) -> TableReader:
        """A reader of the current version; the same one until the next write."""
        with self._lock:
            if self._reader is None:
                table = self._table
                if not self._pinned:
                    with _reading(self.path, self._version):
                        table = lancedb.connect(self.path.parent).open_table(self.path.stem, version=self._version)
                self._reader = TableReader(table, self.path, self._version, self.dimensions)
            return self._reader

    def exact(self) -> tuple[ExactIndex, tuple[str, ...]]:
        """All vectors, resident, and the chunk ids by row number."""
        reader = self.reader()
        return reader.exact(), reader.ids()

    def full_text(
        self, query: str, k: int, *, ids: Iterable[str] | None = None, source_ids: Iterable[str] | None = None
    ) -> list[tuple[str, float]]:
        """See `TableReader.full_text`."""
        return self.reader().full_text(query, k, ids=ids, source_ids=source_ids)

    def rows(self, ids: Sequence[str], with_vectors: bool = False) -> list[ChunkRow]:
        """See `TableReader.rows`."""
        return self.reader().rows(ids, with_vectors)

    def rows_of_source(self, source_id: str, with_vectors: bool = False) -> list[ChunkRow]:
        """See `TableReader.rows_of_source`."""
        return self.reader().rows_of_source(source_id, with_vectors)

    def scan(self, columns: Sequence[str]) -> pa.Table:
        """See `TableReader.scan`."""
        return self.reader().scan(columns)

    def replace(self, source_ids: Sequence[str], rows: Sequence[ChunkRow]) -> int:
        """Make `rows` all the chunks of `source_ids`: what else those sources had goes. Returns the new version.

        Where others write without the lease, the version may be more than one beyond the last: then one of them came
        in between, and chunks may be there twice.

        Raises:
            ValueError: a row of a source that is not named.
        """
        strangers = {row.source_id for row in rows} - set(source_ids)
        if strangers:
            raise ValueError(f"rows of sources that are not replaced: {sorted(strangers)[:3]}")
        if not rows:
            return self.delete_sources(source_ids)
        gone = col("source_id").isin(sorted(set(source_ids)))
        return self._merge(rows, gone) if self._any(rows, gone) else self._append(rows)

    def upsert(self, rows: Sequence[ChunkRow]) -> int:
        """Add `rows`, each in place of the row of its id. Of two rows with one id the later counts."""
        return self._merge(rows, None) if rows else self._version

    def delete(self, ids: Sequence[str]) -> int:
        """Delete the rows of `ids`; unknown ids are no error."""
        return self._delete("id", ids)

    def delete_sources(self, source_ids: Sequence[str]) -> int:
        """Delete all rows of `source_ids`; unknown ones are no error."""
        return self._delete("source_id", source_ids)

    def clear(self) -> int:
        """Delete all rows."""
        return self._commit(lambda table: table.delete("true").version)

    def restore(self, version: int) -> int:
        """Make an older version the current one, as a new commit; data is not copied.

        For the rest of a crash: a table ahead of the version its manifest pins is built on from there.

        Raises:
            Damaged: that version is gone.
        """

        def back(table: Any) -> int:
            try:
                table.checkout(version)
                table.restore()
            finally:
                # A failed restore would leave the handle in the past, where the next write is refused.
                table.checkout_latest()
            return int(table.version)

        self._check_writable()
        if version == self._version:
            return version
        files_of(self.path, version)
        return self._commit(back)

    def tidy(self) -> int:
        """Compact and bring the text index up to date, where it is worth its bytes. Returns the version.

        No old version is removed.
        """
        try:
            files_of(self.path, self._version)
        except Damaged:
            # The index can be made anew from the rows; where it is the rows that are damaged, this fails by name.
            self.rebuild_text_index()
        shape = shape_of(self.path, self._version)
        if shape.fragments > _FRAGMENTS_AT_MOST or shape.deleted > max(_DELETED_AT_LEAST, shape.rows):
            return self._compact()
        waiting = self._waiting()
        limit = max(_WAITING_AT_LEAST, min(shape.rows // _WAITING_SHARE, _WAITING_AT_MOST))
        return self.rebuild_text_index() if waiting is None or waiting > limit else self._version

    def rebuild_text_index(self) -> int:
        """Make the text index anew from the rows: the repair for a damaged one. Returns the new version."""

        def rebuild(table: Any) -> int:
            _create_text_index(table)
            return int(table.version)

        return self._commit(rebuild)

    def rewrite_without(self, source_ids: Sequence[str]) -> int:
        """Write every row anew but those of `source_ids`, so that no file of the new version holds anything of them:
        deleting alone only marks rows. Holds all rows in memory. Returns the new version."""
        gone = set(source_ids)
        everything = self.scan([*((*_COLUMNS, "terms") if self._analysed else _COLUMNS_1), "vector"])
        keep = pa.array([one not in gone for one in everything["source_id"].to_pylist()], pa.bool_())
        rest = everything.filter(keep)

        def rewrite(table: Any) -> int:
            table.delete("true")
            if rest.num_rows:
                table.add(rest.cast(table.schema))
            return int(table.version)

        self._commit(rewrite)
        return self.rebuild_text_index()

    def _waiting(self) -> int | None:
        """Rows not in the text index yet; None without a usable index."""
        try:
            with _reading(self.path, self._version):
                stats = self._table.index_stats(_TEXT_INDEX)
        except Damaged:
            return None  # rebuilt by the caller, which is the repair
        return None if stats is None else int(stats.num_unindexed_rows)

    def _compact(self) -> int:
        """All rows into one fragment, then the text index anew."""

        def drop_index(table: Any) -> int:
            if any(index.name == _TEXT_INDEX for index in table.list_indices()):
                table.drop_index(_TEXT_INDEX)
            return int(table.version)

        def optimize(table: Any) -> int:
            set_aside_torn(self.path, 0)  # Lance reads every version, and a power cut tears those nobody pinned
            table.optimize(cleanup_older_than=_KEEP_ALL_VERSIONS)
            return int(table.version)

        # Without the index: optimize() would copy it twice (moved rows, then merged), would not join fragments that
        # are in it with such that are not, and passes over a damaged one in silence.
        self._commit(drop_index)
        self._commit(optimize)
        return self.rebuild_text_index()

    def _merge(self, rows: Sequence[ChunkRow], gone: Expr | None) -> int:
        arrow = _to_arrow(rows, self.dimensions, FORMAT if self._analysed else 1)

        def merge(table: Any) -> int:
            # merge_insert keeps two source rows of one id both: _to_arrow has made ids unique.
            builder = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            if gone is not None:
                builder = builder.when_not_matched_by_source_delete(gone)
            return int(builder.execute(arrow).version)

        return self._commit(merge)

    def _any(self, rows: Sequence[ChunkRow], gone: Expr) -> bool:
        """Whether the table has rows that match `gone`, or have the id of one of `rows`. Two columns are scanned."""
        ids = col("id").isin(sorted({row.id for row in rows if _encodable(row.id)}))
        with _reading(self.path, self._version):
            return bool(self._table.search().where(gone | ids).select(["id"]).limit(1).to_arrow().num_rows)

    def _append(self, rows: Sequence[ChunkRow]) -> int:
        """Rows of which nothing is there yet. A merge would join their ids with those of all rows."""
        arrow = _to_arrow(rows, self.dimensions, FORMAT if self._analysed else 1)

        def append(table: Any) -> int:
            table.add(arrow)
            return int(table.version)

        return self._commit(append)

    def _delete(self, column: str, values: Sequence[str]) -> int:
        # No value that cannot be encoded is in the table.
        wanted = sorted({value for value in values if _encodable(value)})
        if not wanted:
            self._check_writable()
            return self._version
        return self._commit(lambda table: table.delete(col(column).isin(wanted)).version)

    def _check_writable(self) -> None:
        if self._pinned:
            raise NotWritable(f"{self.path.name} is opened at version {self._version}, which never changes.")

    def _commit(self, write: Callable[[Any], int]) -> int:
        self._check_writable()
        with self._lock:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    with _writing(self.path, self._version):
                        self._version = int(write(self._table))
                    break
                except Conflict:
                    if attempt == _ATTEMPTS:
                        raise
                    with _reading(self.path, self._version):
                        self._table.checkout_latest()
            self._reader = None
            return self._version


def _schema(dimensions: int, space: str, version: int = FORMAT) -> pa.Schema:
    text, int32, int64 = pa.string(), pa.int32(), pa.int64()
    described = json.dumps({"format": version, "dimensions": dimensions, "space": space}, sort_keys=True)
    analysed = [pa.field("language", text, nullable=False), pa.field("terms", text, nullable=False)]
    return pa.schema(
        [
            pa.field("id", text, nullable=False),
            pa.field("source_id", text, nullable=False),
            pa.field("ordinal", int32, nullable=False),
            pa.field("text", text, nullable=False),
            pa.field("page", int32),
            pa.field("page_end", int32),
            pa.field("start", int64),
            pa.field("end", int64),
            pa.field("heading", text, nullable=False),
            pa.field("metadata", text, nullable=False),
            pa.field("node", text),
            *(analysed if version > 1 else ()),
            pa.field("vector", pa.list_(pa.float32(), dimensions), nullable=False),
        ],
        metadata={_MARK: described.encode()},
    )


def _is_analysed(schema: pa.Schema) -> bool:
    return "terms" in schema.names


def _create_text_index(table: Any) -> None:
    """Make the full-text index anew, in place of the one there may be."""
    if _is_analysed(table.schema):
        table.create_index("terms", config=FTS(**_TERMS), replace=True, name=_TEXT_INDEX)
    else:
        table.create_index("text", config=FTS(**_TOKENS), replace=True, name=_TEXT_INDEX)


def _described(path: Path, schema: pa.Schema) -> dict[str, Any]:
    try:
        described = json.loads((schema.metadata or {})[_MARK])
        newer = described["format"] > FORMAT
        complete = isinstance(described["dimensions"], int) and isinstance(described["space"], str)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{path.name} is damaged, or no table of Ragbook: its schema does not say what it is.") from error
    if newer:
        raise NewerFormat(f"{path.name} has format {described['format']}; this Ragbook reads up to {FORMAT}.")
    if not complete or not schema.equals(_schema(described["dimensions"], described["space"], described["format"])):
        raise Damaged(f"{path.name} is damaged, or no table of Ragbook: its columns are not the expected ones.")
    return dict(described)


def _to_arrow(rows: Sequence[ChunkRow], dimensions: int, version: int) -> pa.Table:
    unique = list({row.id: row for row in rows}.values())
    vectors = _checked_vectors(unique, dimensions)
    schema = _schema(dimensions, "", version).remove_metadata()
    names = _COLUMNS if version > 1 else _COLUMNS_1
    try:
        columns: dict[str, Any] = {name: [getattr(row, name) for row in unique] for name in names}
        columns["metadata"] = [json.dumps(row.metadata, ensure_ascii=False) for row in unique]
        columns["node"] = [None if row.node is None else json.dumps(row.node, ensure_ascii=False) for row in unique]
        if version > 1:
            # A chunk is found by the headings it stands under too.
            columns["terms"] = [" ".join(terms(f"{row.heading}\n{row.text}", row.language)) for row in unique]
        columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimensions)
        return pa.table({name: columns[name] for name in schema.names}, schema=schema)
    except UnicodeEncodeError as error:
        raise StoreError("A chunk holds half of a surrogate pair, which is no text and cannot be stored.") from error
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise StoreError(f"A chunk cannot be stored: {error}") from error


def _checked_vectors(rows: Sequence[ChunkRow], dimensions: int) -> NDArray[np.float32]:
    matrix = np.empty((len(rows), dimensions), dtype=np.float32)
    for number, row in enumerate(rows):
        vector = row.vector
        if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.shape != (dimensions,):
            found = "none" if vector is None else f"{getattr(vector, 'dtype', '?')} {getattr(vector, 'shape', '?')}"
            raise VectorInvalid(f"The vector of chunk {row.id!r} is {found}; expected float32 ({dimensions},).")
        matrix[number] = vector
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= 1e-3))
    if len(wrong):
        row = rows[int(wrong[0])]
        raise VectorInvalid(
            f"The vector of chunk {row.id!r} has length {lengths[wrong[0]]:.4g}; expected 1, with finite numbers."
        )
    return matrix


def _from_arrow(found: pa.Table, path: Path) -> list[ChunkRow]:
    columns = {name: found[name].to_pylist() for name in _COLUMNS if name in found.column_names}
    try:
        columns["metadata"] = [json.loads(one) for one in columns["metadata"]]
        columns["node"] = [None if one is None else json.loads(one) for one in columns["node"]]
    except ValueError as error:
        raise Damaged(f"{path.name} is damaged: metadata that is no JSON.") from error
    if "vector" in found.column_names:
        flat = found["vector"].combine_chunks().flatten().to_numpy()
        columns["vector"] = list(flat.reshape(found.num_rows, -1)) if found.num_rows else []
    names = list(columns)
    return [ChunkRow(**dict(zip(names, values, strict=True))) for values in zip(*columns.values(), strict=True)]


def _rising(row_ids: NDArray[np.uint64], path: Path) -> NDArray[np.uint64]:
    # The search in _indexed_matches and the tie order rest on it; Lance scans in order unless told otherwise.
    if len(row_ids) > 1 and not bool((row_ids[1:] > row_ids[:-1]).all()):
        raise Damaged(f"{path.name} is damaged: rows came back out of order.")
    return row_ids


def _tokens(text: str) -> list[str]:
    from lancedb import tokenize

    return [token.text for token in tokenize(text, **_TOKENS)]


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _reading(path: Path, version: int | None) -> Iterator[None]:
    """Turns what Lance raises while reading into `Damaged`, naming the file where the manifest tells which it is."""
    with _translated(path, version, Damaged, "cannot be read"):
        yield


@contextmanager
def _writing(path: Path, version: int | None = None) -> Iterator[None]:
    with _translated(path, version, StoreError, "could not be written"):
        yield


@contextmanager
def _translated(path: Path, version: int | None, otherwise: type[StoreError], failed: str) -> Iterator[None]:
    try:
        yield
    except RagbookError:
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic inside Lance is no Exception
        raise _failure(path, version, error, otherwise, failed) from error


def _failure(
    path: Path, version: int | None, error: BaseException, otherwise: type[StoreError], failed: str
) -> StoreError:
    text = str(error)
    lowered = text.lower()
    if any(sign in lowered for sign in ("no space left", "quota exceeded", "file too large")):
        return DiskFull(f"The disk is full: {path} could not be written. Free some space and try again.")
    if any(sign in lowered for sign in ("permission denied", "read-only file system", "operation not permitted")):
        return NotWritable(f"No permission for {path}. Check who owns the folder and whether it is read-only.")
    if any(sign in lowered for sign in ("commit conflict", "too many concurrent writers", "incompatible transaction")):
        return Conflict(f"Another writer kept changing {path.name}. Try again.")
    try:
        newest = latest_version(path)
        for one in (version, newest):
            if one is not None:
                files_of(path, one)
    except StoreError as found:
        return found
    # Without the place in Lance's own source where it failed.
    first = re.sub(r", /\S+\.rs:\d+.*", "", text.splitlines()[0] if text else type(error).__name__).rstrip(".")
    return otherwise(f"{path.name} {failed}: {first[:300]}.")

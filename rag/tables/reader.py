"""Searching one version of a table of chunks: by its vectors and by its words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rag.errors import Damaged
from rag.tables.exact import ExactIndex
from rag.tables.frequencies import Frequencies
from rag.tables.lance import MatchQuery
from rag.tables.lance_errors import reading
from rag.tables.lance_queries import batches, begin, result
from rag.tables.rows import RowReader, rising
from rag.tables.text_index import TEXT_INDEX, flat_matches, indexed_column
from rag.text.analysis import asked

_ZERO_COPY_ROWS = 131_072  # up to here one batch becomes the matrix itself; above, batches are copied into it
_COUNTED = 2048  # chunks whose terms are counted, at most: 0.2 s once
_ROW_IDS_IN_SQL = 5000  # more allowed rows than this: search all, then drop the others
_TIES = 64  # asked for beyond k, so that the order among equal scores is ours


@dataclass(frozen=True)
class Begun:
    """Full-text search under way: the terms looked for, how many chunks, and what Lance will give; None without an
    index, where nothing can be begun."""

    words: str
    k: int
    found: Future[pa.Table] | None


class TableReader(RowReader):
    """A version's rows, and what is found among them. Safe to share between threads."""

    def exact(self) -> ExactIndex:
        """All vectors, resident; row numbers are this reader's."""
        return self._once("exact", self._load_exact)

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
        self._loaded.setdefault("row_ids", rising(ids, self.path))
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

"""Writing the chunk rows of one notebook and recipe: one Lance table in a local folder, one Lance commit per write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from rag.errors import AlreadyExists, Conflict, Damaged, NotFound, NotWritable
from rag.tables.chunk_rows import (
    COLUMNS,
    COLUMNS_1,
    FORMAT,
    ChunkRow,
    chunk_schema,
    description,
    encodable,
    is_analysed,
    to_arrow,
)
from rag.tables.exact import ExactIndex
from rag.tables.lance import Expr, col, lancedb
from rag.tables.lance_errors import reading, writing
from rag.tables.lance_files import files_of, latest_version
from rag.tables.reader import TableReader
from rag.tables.text_index import TEXT_INDEX, create_text_index

_ATTEMPTS = 5


class ChunkTable:
    """The table, at one version. Reads go to a reader of that version; each write is one commit and moves it on.

    Opened with a version, it is pinned to it: every write raises `NotWritable`. Reads are safe from many threads;
    writes wait for each other within the object.

    Every write checks its vectors (`VectorInvalid`: not float32 of shape (d,), not finite, or not of length 1 within
    0.001) and raises `DiskFull`, `NotWritable`, `Conflict` or `StoreError`; nothing is committed then.
    """

    def __init__(self, path: Path, table: Any, reader: TableReader | None) -> None:
        """Use `create` or `open`. Pinned with a `reader`, else `table` is what is written to."""
        self.path = path
        self._pinned = reader is not None
        self._table = table
        self._reader = reader
        self._lock = threading.RLock()
        if reader is not None:
            self._version, self.dimensions, self.space = reader.version, reader.dimensions, reader.space
            self._analysed = reader.analysed
            return
        with reading(path, None):
            self._version = int(table.version)
            schema = table.schema
        described = description(path, schema)
        self._analysed = is_analysed(schema)
        self.dimensions, self.space = int(described["dimensions"]), str(described["space"])

    @classmethod
    def create(cls, folder: Path, name: str, dimensions: int, space: str) -> ChunkTable:
        """A new, empty table `<folder>/<name>.lance` for vectors of `dimensions` numbers of `space`.

        Raises:
            AlreadyExists: there is one.
        """
        path = folder / f"{name}.lance"
        if latest_version(path) is not None:
            raise AlreadyExists(f"{path} exists already.")
        with writing(path):
            table = lancedb.connect(folder).create_table(name, schema=chunk_schema(dimensions, space))
            # While still empty: rows added later are found without being in the index, and readers never write one.
            create_text_index(table)
        return cls(path, table, None)

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
        if version is not None:
            return cls(path, None, TableReader(path, version))
        with reading(path, None):
            table = lancedb.connect(folder).open_table(name)
        opened = cls(path, table, None)
        if opened.version != newest:
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
                self._reader = TableReader(self.path, self._version)
            return self._reader

    def exact(self) -> tuple[ExactIndex, tuple[str, ...]]:
        """All vectors, resident, and the chunk ids by row number."""
        reader = self.reader()
        return reader.exact(), reader.ids()

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
        self._check_writable()
        gone = col("source_id").isin(sorted(set(source_ids)))
        return self._merge(rows, gone) if self._any(rows, gone) else self._append(rows)

    def append(self, rows: Sequence[ChunkRow]) -> int:
        """Add rows none of whose ids is there yet, such as the rest of a source after `replace`. Returns the new
        version, as `replace`."""
        if not rows:
            return self._version
        self._check_writable()
        return self._append(rows)

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
        return self.commit(lambda table: table.delete("true").version)

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
        return self.commit(back)

    def unindexed(self) -> int | None:
        """Rows not in the text index yet; None without a usable index."""
        try:
            with reading(self.path, self._version):
                stats = self._table.index_stats(TEXT_INDEX)
        except Damaged:
            return None
        return None if stats is None else int(stats.num_unindexed_rows)

    def rebuild_text_index(self) -> int:
        """Make the text index anew from the rows: the repair for a damaged one. Returns the new version."""

        def rebuild(table: Any) -> int:
            create_text_index(table)
            return int(table.version)

        return self.commit(rebuild)

    def rewrite_without(self, source_ids: Sequence[str]) -> int:
        """Write every row anew but those of `source_ids`, so that no file of the new version holds anything of them:
        deleting alone only marks rows. Holds all rows in memory. Returns the new version."""
        gone = set(source_ids)
        everything = self.scan([*((*COLUMNS, "terms") if self._analysed else COLUMNS_1), "vector"])
        keep = pa.array([one not in gone for one in everything["source_id"].to_pylist()], pa.bool_())
        rest = everything.filter(keep)

        def rewrite(table: Any) -> int:
            table.delete("true")
            if rest.num_rows:
                table.add(rest.cast(table.schema))
            return int(table.version)

        self.commit(rewrite)
        return self.rebuild_text_index()

    def _merge(self, rows: Sequence[ChunkRow], gone: Expr | None) -> int:
        arrow = to_arrow(rows, self.dimensions, FORMAT if self._analysed else 1)

        def merge(table: Any) -> int:
            # merge_insert keeps two source rows of one id both: _to_arrow has made ids unique.
            builder = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            if gone is not None:
                builder = builder.when_not_matched_by_source_delete(gone)
            return int(builder.execute(arrow).version)

        return self.commit(merge)

    def _any(self, rows: Sequence[ChunkRow], gone: Expr) -> bool:
        """Whether the table has rows that match `gone`, or have the id of one of `rows`. Two columns are scanned."""
        ids = col("id").isin(sorted({row.id for row in rows if encodable(row.id)}))
        with reading(self.path, self._version):
            return bool(self._table.search().where(gone | ids).select(["id"]).limit(1).to_arrow().num_rows)

    def _append(self, rows: Sequence[ChunkRow]) -> int:
        """Rows of which nothing is there yet. A merge would join their ids with those of all rows."""
        arrow = to_arrow(rows, self.dimensions, FORMAT if self._analysed else 1)

        def append(table: Any) -> int:
            table.add(arrow)
            return int(table.version)

        return self.commit(append)

    def _delete(self, column: str, values: Sequence[str]) -> int:
        # No value that cannot be encoded is in the table.
        wanted = sorted({value for value in values if encodable(value)})
        if not wanted:
            self._check_writable()
            return self._version
        return self.commit(lambda table: table.delete(col(column).isin(wanted)).version)

    def _check_writable(self) -> None:
        if self._pinned:
            raise NotWritable(f"{self.path.name} is opened at version {self._version}, which never changes.")

    def commit(self, write: Callable[[Any], int]) -> int:
        """Give Lance's table to `write`, which makes a commit and returns its version; again where another writer was
        first. Returns the new version."""
        self._check_writable()
        with self._lock:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    with writing(self.path, self._version):
                        self._version = int(write(self._table))
                    break
                except Conflict:
                    if attempt == _ATTEMPTS:
                        raise
                    with reading(self.path, self._version):
                        self._table.checkout_latest()
            self._reader = None
            return self._version

"""A small Lance table of rows with a key, whose versions others pin: read at any version, changed from any."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from rag.errors import Conflict, Damaged
from rag.storage.durable import make_folder
from rag.storage.failures import translated
from rag.tables.lance import lancedb
from rag.tables.lance_errors import reading, writing
from rag.tables.lance_files import TableFile, clear_the_way, files_of, latest_version, set_aside_torn, shape_of, sync

Identity = tuple[tuple[str, int, int, int], ...]
"""Path, size, time of change and inode of every file of a version."""

_FRAGMENTS_AT_MOST = 32
_FOR_EVER = timedelta(days=365_000)
"""Lance would remove versions after seven days; manifests pin them for longer."""


class Changes(NamedTuple):
    """What to write over the rows of a version, which are `base`: rows in place of those of their keys, and keys whose
    rows go."""

    base: pa.Table
    rows: pa.Table
    gone: list[str]


class KeyedTable:
    """`<folder>/<name>.lance`. A write is at most two Lance commits and durable when it returns.

    Raises `Damaged` where a version cannot be read, `Conflict` where somebody else wrote at the same moment, and what
    `rag.tables.lance_errors` makes of everything else.
    """

    def __init__(self, folder: Path, name: str, schema: pa.Schema, key: str) -> None:
        """Reads and makes nothing. Keys are hexadecimal digits, made by us."""
        self._folder, self._name, self._schema, self._key = folder, name, schema, key
        self.path = folder / f"{name}.lance"

    def read(self, version: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one version; of those columns, if given."""
        with reading(self.path, version, f"{self.path.name} version {version}"):
            table = self._open(version)
            table.checkout(version)
            if table.schema != self._schema:
                raise Damaged(f"{self.path.name} version {version} is damaged: its columns are not the expected ones.")
            query = table.search()
            return (query if columns is None else query.select(columns)).to_arrow()

    def identity(self, version: int) -> Identity:
        """What tells a version from another that had its number before, and from itself with other bytes in its files.

        Raises OSError and StoreError.
        """
        found = []
        for file in files_of(self.path, version):
            status = (self.path / file.path).stat()
            found.append((file.path, status.st_size, status.st_mtime_ns, status.st_ino))
        return tuple(found)

    def write(self, base: int | None, changes: Callable[[int], Changes]) -> tuple[int, pa.Table]:
        """Make version `base` the newest, and over it what `changes` says of the version that it then is; only that is
        written. Gives the new version, or the same one when there is nothing, and its rows.

        A table ahead of `base` is the rest of a crash, or of another recipe's build: its rows count as if absent.
        """
        with self._writing():
            table = self._at(base)
            told = changes(int(table.version))
            if told.gone:
                table.delete(f"{self._key} IN (" + ", ".join(f"'{key}'" for key in told.gone) + ")")
            if told.rows.num_rows and _among(told.base[self._key], told.rows[self._key]):
                table.merge_insert(self._key).when_matched_update_all().when_not_matched_insert_all().execute(told.rows)
            elif told.rows.num_rows:
                table.add(told.rows)
            if shape_of(self.path, int(table.version)).fragments > _FRAGMENTS_AT_MOST:
                set_aside_torn(self.path, 0)  # Lance reads every version, and a power cut tears those nobody pinned
                table.optimize(cleanup_older_than=_FOR_EVER)
            version = int(table.version)
            sync(self.path, files_of(self.path, version))
            stale = pa.array([*told.gone, *told.rows[self._key].to_pylist()], pa.string())
            kept = told.base.filter(pc.invert(pc.is_in(told.base[self._key], value_set=stale)))
            found, expected = self.read(version), pa.concat_tables([kept, told.rows])
            # The rows as they are and not only their number: others may have written without the lease. Sorted only
            # where they came back in another order.
            if not (found.equals(expected) or self._in_order(found).equals(self._in_order(expected))):
                raise self._conflict()
            return version, found

    def restore(self, version: int, base: int) -> int:
        """Make an older version the newest again, as `write` of its rows from version `base` would, and without
        reading or writing any: Lance makes a version of the same files. Gives the new version."""
        with self._writing():
            before = files_of(self.path, version)
            table = self._open(base)
            table.checkout(version)
            table.restore()
            new = int(table.version)
            files = files_of(self.path, new)
            sync(self.path, files)
            if _data(files) != _data(before):
                raise self._conflict()
            return new

    def rewrite(self, rows: pa.Table) -> int:
        """Make `rows` the newest version, every one of them written anew, so that no file of that version holds what is
        gone. For purging. Gives the new version."""
        with self._writing():
            table = lancedb.connect(str(self._folder)).open_table(self._name)
            table.delete("true")
            if rows.num_rows:
                table.add(rows)
            version = int(table.version)
            sync(self.path, files_of(self.path, version))
            return version

    def _writing(self) -> Any:
        with translated(self.path.name):
            make_folder(self._folder)
        return writing(self.path, None)

    def _at(self, base: int | None) -> Any:
        """The table, its newest version with the rows of `base`; empty without one."""
        if latest_version(self.path) is None:  # also where a kill left a folder that is no table yet
            database = lancedb.connect(str(self._folder))
            table = database.create_table(self._name, schema=self._schema, exist_ok=True)
        else:
            table = self._open(base or 0)
        if base is not None and table.version != base:
            table.checkout(base)
            table.restore()
        elif base is None and table.count_rows():
            table.delete("true")
        return table

    def _open(self, wanted: int) -> Any:
        """The table at its newest version; damaged versions newer than `wanted` are renamed."""
        while True:
            try:
                return lancedb.connect(str(self._folder)).open_table(self._name)
            except RuntimeError as error:
                with translated(self.path.name):
                    if not clear_the_way(self.path, wanted, error):
                        raise

    def _in_order(self, table: pa.Table) -> pa.Table:
        return table.sort_by(self._key).combine_chunks()

    def _conflict(self) -> Conflict:
        return Conflict(f"Another process changed {self.path.name} at the same moment. Try again.")


def _among(known: pa.ChunkedArray, keys: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.is_in(keys, value_set=known.combine_chunks())).as_py())


def _data(files: Iterable[TableFile]) -> set[str]:
    """The files with rows, and what is deleted of them: all but the version's own manifest."""
    return {file.path for file in files if not file.path.startswith("_versions/")}

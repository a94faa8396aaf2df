"""The registry of a notebook's sources: one Lance table whose versions the state and the manifests pin."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rag.errors import Conflict, Damaged, StoreError
from rag.sources.rows import SourceRow, registry_fingerprint
from rag.storage.durable import make_folder
from rag.storage.failures import translated
from rag.tables.lance import lancedb
from rag.tables.lance_files import TableFile, clear_the_way, files_of, latest_version, set_aside_torn, shape_of, sync

TABLE = "sources"
_Identity = tuple[tuple[str, int, int, int], ...]
"""Path, size, time of change and inode of every file of a version."""
_FRAGMENTS_AT_MOST = 32
_OTHERS = ("commit conflict", "too many concurrent writers", "incompatible transaction")
_SCHEMA = pa.schema([(one.name, pa.int64() if one.type == "int" else pa.string()) for one in fields(SourceRow)])
_FOR_EVER = timedelta(days=365_000)
"""Lance would remove versions after seven days; manifests pin them for longer."""


@dataclass(frozen=True)
class _Listed:
    """One version: its table, its rows by position, and the fingerprint of what it asks for."""

    table: pa.Table
    rows: tuple[SourceRow, ...]

    @cached_property
    def fingerprint(self) -> str:
        return registry_fingerprint(self.rows)


class Registry:
    """The sources table in a notebook's folder. A write is at most two Lance commits and durable when it returns; what
    counts is the version that a state or a manifest pins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / f"{TABLE}.lance"
        self._known: dict[_Identity, _Listed] = {}

    def rows(self, version: int | None) -> list[SourceRow]:
        """The sources of one version, in the order they were added; none for version None.

        Raises:
            Damaged: that version cannot be opened or read.
        """
        return [] if version is None else list(self._listed(version).rows)

    def fingerprint(self, version: int | None) -> str:
        """Fingerprint of what that version asks for, as `planner.registry_fingerprint` of its rows.

        Raises:
            Damaged: that version cannot be opened or read.
        """
        return registry_fingerprint(()) if version is None else self._listed(version).fingerprint

    def names(self, version: int) -> dict[str, str]:
        """Source ids to display names: all that a search needs, at half the cost of `rows`.

        Raises:
            Damaged: that version cannot be opened or read.
        """
        found = self._read(version, ["source_id", "name"])
        return dict(zip(found["source_id"].to_pylist(), found["name"].to_pylist(), strict=True))

    def _listed(self, version: int) -> _Listed:
        """What a version lists. The last few are kept, as long as no file of them changes on the disk: a build asks for
        the same two versions again and again."""
        try:
            identity = _identity(self.path, version)
        except (OSError, StoreError):
            identity = None  # reading says what is wrong
        known = None if identity is None else self._known.get(identity)
        if known is None:
            table = self._read(version)
            known = _Listed(table, _source_rows(table))
            if identity is not None:
                self._remember(identity, known)
        return known

    def _remember(self, identity: _Identity, listed: _Listed) -> None:
        # A new dict instead of a changed one: other threads may be reading it.
        self._known = {**dict(list(self._known.items())[-2:]), identity: listed}

    def _read(self, version: int, columns: list[str] | None = None) -> pa.Table:
        try:
            table = self._open(version)
            table.checkout(version)
            if table.schema != _SCHEMA:
                raise Damaged(f"{TABLE}.lance version {version} is damaged: its columns are not the expected ones.")
            query = table.search()
            return (query if columns is None else query.select(columns)).to_arrow()
        except (OSError, RuntimeError, ValueError) as error:
            raise Damaged(f"{TABLE}.lance version {version} cannot be read: {_first_line(error)}.") from error

    def _open(self, wanted: int) -> Any:
        """The table at its newest version; damaged versions newer than `wanted` are renamed."""
        while True:
            try:
                return lancedb.connect(str(self._folder)).open_table(TABLE)
            except RuntimeError as error:
                with translated(f"{TABLE}.lance"):
                    if not clear_the_way(self.path, wanted, error):
                        raise

    def write(self, rows: Sequence[SourceRow], base: int | None) -> int:
        """Make `rows` the newest version, starting from version `base`; only rows that differ are written.

        A table ahead of `base` is the rest of a crash, or of another recipe's build: its rows count as if absent.
        Gives the new version, or the old one when nothing differs.

        Raises:
            Conflict: somebody without the lease wrote at the same moment, so that the new version is not `rows`.
            Damaged, StoreError: version `base` cannot be read, or the table cannot be written.
        """
        return self._committed(lambda: self._write(rows, base))

    def restore(self, version: int, base: int) -> int:
        """Make an older version the newest again, as `write` of its rows from version `base` would, and without
        reading or writing any: Lance makes a version of the same files. Gives the new version. Raises as `write`."""
        return self._committed(lambda: self._restore(version, base))

    def _committed(self, write: Callable[[], int]) -> int:
        with translated(f"{TABLE}.lance"):
            make_folder(self._folder)
            try:
                return write()
            except (RuntimeError, ValueError) as error:
                match = re.search(r"os error (\d+)", str(error))
                if match is None and any(sign in str(error).lower() for sign in _OTHERS):
                    raise Conflict(f"Another process changed {TABLE}.lance at the same moment. Try again.") from error
                if match is None:
                    raise Damaged(f"{TABLE}.lance cannot be written: {_first_line(error)}.") from error
                raise OSError(int(match.group(1)) or errno.EIO, str(error)) from error

    def _restore(self, version: int, base: int) -> int:
        table = self._open(base)
        table.checkout(version)
        table.restore()
        new = int(table.version)
        files = files_of(self.path, new)
        sync(self.path, files)
        if _data(files) != _data(files_of(self.path, version)):
            raise Conflict(f"Another process changed {TABLE}.lance at the same moment. Try again.")
        return new

    def _write(self, rows: Sequence[SourceRow], base: int | None) -> int:
        database = lancedb.connect(str(self._folder))
        if latest_version(self.path) is None:  # also where a kill left a folder that is no table yet
            table = database.create_table(TABLE, schema=_SCHEMA, exist_ok=True)
        else:
            table = self._open(base or 0)
        if base is not None and table.version != base:
            table.checkout(base)
            table.restore()
        elif base is None and table.count_rows():
            table.delete("true")
        listed = self._listed(int(table.version))
        before = {row.source_id: row for row in listed.rows}
        after = {row.source_id: row for row in rows}
        gone = [source_id for source_id in before if source_id not in after]
        differing = [
            row for source_id, row in after.items() if (old := before.get(source_id)) is not row and old != row
        ]
        written = pa.Table.from_pylist([asdict(row) for row in differing], schema=_SCHEMA)
        if gone:
            # Ids are hex digits, made by us: nothing to escape.
            table.delete("source_id IN (" + ", ".join(f"'{source_id}'" for source_id in gone) + ")")
        if any(row.source_id in before for row in differing):
            table.merge_insert("source_id").when_matched_update_all().when_not_matched_insert_all().execute(written)
        elif differing:
            table.add(written)
        if shape_of(self.path, int(table.version)).fragments > _FRAGMENTS_AT_MOST:
            set_aside_torn(self.path, 0)  # Lance reads every version, and a power cut tears those nobody pinned
            table.optimize(cleanup_older_than=_FOR_EVER)
        version = int(table.version)
        sync(self.path, files_of(self.path, version))
        stale = pa.array([*gone, *(row.source_id for row in differing)], pa.string())
        kept = listed.table.filter(pc.invert(pc.is_in(listed.table["source_id"], value_set=stale)))
        found, expected = self._read(version), pa.concat_tables([kept, written])
        # The rows as they are and not only their number: others may have written without the lease. Sorted only where
        # they came back in another order.
        if not (found.equals(expected) or _in_order(found).equals(_in_order(expected))):
            raise Conflict(f"Another process changed {TABLE}.lance at the same moment. Try again.")
        self._remember(_identity(self.path, version), _Listed(found, tuple(sorted(after.values(), key=_position))))
        return version

    def rewrite(self, rows: Sequence[SourceRow]) -> int:
        """Make `rows` the newest version, every one of them written anew, so that no file of that version holds what is
        gone. For purging. Gives the new version."""
        with translated(f"{TABLE}.lance"):
            try:
                table = lancedb.connect(str(self._folder)).open_table(TABLE)
                table.delete("true")
                if rows:
                    table.add(pa.Table.from_pylist([asdict(row) for row in rows], schema=_SCHEMA))
                version = int(table.version)
            except (RuntimeError, ValueError) as error:
                raise Damaged(f"{TABLE}.lance cannot be written anew: {error}") from error
            sync(self.path, files_of(self.path, version))
        return version


def _data(files: Iterable[TableFile]) -> set[str]:
    """The files with rows, and what is deleted of them: all but the version's own manifest."""
    return {file.path for file in files if not file.path.startswith("_versions/")}


def _source_rows(table: pa.Table) -> tuple[SourceRow, ...]:
    columns = [table[name].to_pylist() for name in _SCHEMA.names]
    return tuple(sorted((SourceRow(*values) for values in zip(*columns, strict=True)), key=_position))


def _position(row: SourceRow) -> int:
    return row.position


def _in_order(table: pa.Table) -> pa.Table:
    return table.sort_by("source_id").combine_chunks()


def _identity(path: Path, version: int) -> _Identity:
    """What tells a version from another that had its number before, and from itself with other bytes in its files."""
    found = []
    for file in files_of(path, version):
        status = (path / file.path).stat()
        found.append((file.path, status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(found)


def _first_line(error: BaseException) -> str:
    """What failed, without the place in Lance's own source where it did."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r", /\S+\.rs:\d+.*", "", line)[:300].rstrip(".")

"""The registry of a notebook's sources: one table whose versions the state and the manifests pin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from rag.errors import StoreError
from rag.sources.rows import SourceRow, registry_fingerprint
from rag.tables.keyed_table import Changes, Identity, KeyedTable

TABLE = "sources"
_SCHEMA = pa.schema([(one.name, pa.int64() if one.type == "int" else pa.string()) for one in fields(SourceRow)])


@dataclass(frozen=True)
class _Listed:
    """One version: its table, its rows by position, and the fingerprint of what it asks for."""

    table: pa.Table
    rows: tuple[SourceRow, ...]

    @cached_property
    def fingerprint(self) -> str:
        return registry_fingerprint(self.rows)


class Registry:
    """The sources table in a notebook's folder. A write is durable when it returns; what counts is the version that a
    state or a manifest pins."""

    def __init__(self, folder: Path) -> None:
        self._table = KeyedTable(folder, TABLE, _SCHEMA, "source_id")
        self.path = self._table.path
        self._known: dict[Identity, _Listed] = {}

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
        found = self._table.read(version, ["source_id", "name"])
        return dict(zip(found["source_id"].to_pylist(), found["name"].to_pylist(), strict=True))

    def write(self, rows: Sequence[SourceRow], base: int | None) -> int:
        """Make `rows` the newest version, starting from version `base`; only rows that differ are written.

        Gives the new version, or the old one when nothing differs.

        Raises:
            Conflict: somebody without the lease wrote at the same moment, so that the new version is not `rows`.
            Damaged, StoreError: version `base` cannot be read, or the table cannot be written.
        """
        after = {row.source_id: row for row in rows}

        def changes(version: int) -> Changes:
            listed = self._listed(version)
            before = {row.source_id: row for row in listed.rows}
            differing = [row for row in after.values() if before.get(row.source_id) != row]
            gone = [source_id for source_id in before if source_id not in after]
            return Changes(listed.table, _table(differing), gone)

        version, found = self._table.write(base, changes)
        self._remember(self._identity(version), _Listed(found, tuple(sorted(after.values(), key=_position))))
        return version

    def restore(self, version: int, base: int) -> int:
        """Make an older version the newest again, as `write` of its rows from version `base` would. Gives the new
        version. Raises as `write`."""
        return self._table.restore(version, base)

    def rewrite(self, rows: Sequence[SourceRow]) -> int:
        """Make `rows` the newest version, every one of them written anew, so that no file of that version holds what is
        gone. For purging. Gives the new version. Raises as `write`."""
        return self._table.rewrite(_table(rows))

    def _listed(self, version: int) -> _Listed:
        """What a version lists. The last few are kept, as long as no file of them changes on the disk: a build asks for
        the same two versions again and again."""
        identity = self._identity(version)
        known = None if identity is None else self._known.get(identity)
        if known is None:
            table = self._table.read(version)
            known = _Listed(table, _source_rows(table))
            self._remember(identity, known)
        return known

    def _identity(self, version: int) -> Identity | None:
        """None where its files cannot be looked at: reading says what is wrong."""
        try:
            return self._table.identity(version)
        except (OSError, StoreError):
            return None

    def _remember(self, identity: Identity | None, listed: _Listed) -> None:
        if identity is not None:
            # A new dict instead of a changed one: other threads may be reading it.
            self._known = {**dict(list(self._known.items())[-2:]), identity: listed}


def _table(rows: Iterable[SourceRow]) -> pa.Table:
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=_SCHEMA)


def _source_rows(table: pa.Table) -> tuple[SourceRow, ...]:
    columns = [table[name].to_pylist() for name in _SCHEMA.names]
    return tuple(sorted((SourceRow(*values) for values in zip(*columns, strict=True)), key=_position))


def _position(row: SourceRow) -> int:
    return row.position

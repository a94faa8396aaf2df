"""The registry of a notebook's sources: one Lance table whose versions the state and the manifests pin."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path

import lancedb
import pyarrow as pa

from rag.errors import Damaged
from rag.lance_files import files_of, shape_of, sync
from rag.objects import make_folder, translated
from rag.planner import SourceRow

TABLE = "sources"
_FRAGMENTS_AT_MOST = 32
_SCHEMA = pa.schema([(one.name, pa.int64() if one.type == "int" else pa.string()) for one in fields(SourceRow)])
_FOR_EVER = timedelta(days=365_000)
"""Lance would remove versions after seven days; manifests pin them for longer."""


class Registry:
    """The sources table in a notebook's folder. A write is at most two Lance commits and durable when it returns; what
    counts is the version that a state or a manifest pins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / f"{TABLE}.lance"

    def rows(self, version: int | None) -> list[SourceRow]:
        """The sources of one version, in the order they were added; none for version None.

        Raises:
            Damaged: that version cannot be opened or read.
        """
        if version is None:
            return []
        try:
            table = lancedb.connect(str(self._folder)).open_table(TABLE)
            table.checkout(version)
            found = table.search().to_arrow().to_pylist()
        except (OSError, RuntimeError, ValueError) as error:
            raise Damaged(f"{TABLE}.lance version {version} cannot be read: {error}") from error
        found.sort(key=lambda row: row["position"])
        return [SourceRow(**row) for row in found]

    def write(self, rows: Sequence[SourceRow], base: int | None) -> int:
        """Make `rows` the newest version, starting from version `base`; only rows that differ are written.

        A table ahead of `base` is the rest of a crash, or of another recipe's build: its rows count as if absent.
        Gives the new version, or the old one when nothing differs.
        """
        with translated(f"{TABLE}.lance"):
            make_folder(self._folder)
            try:
                return self._write(rows, base)
            except (RuntimeError, ValueError) as error:
                match = re.search(r"os error (\d+)", str(error))
                if match is None:
                    raise Damaged(f"{TABLE}.lance cannot be written: {error}") from error
                raise OSError(int(match.group(1)) or errno.EIO, str(error)) from error

    def _write(self, rows: Sequence[SourceRow], base: int | None) -> int:
        database = lancedb.connect(str(self._folder))
        if not self.path.exists():
            table = database.create_table(TABLE, schema=_SCHEMA, exist_ok=True)
        else:
            table = database.open_table(TABLE)
        if base is not None and table.version != base:
            table.checkout(base)
            table.restore()
        elif base is None and table.count_rows():
            table.delete("true")
        before = {row["source_id"]: row for row in table.search().to_arrow().to_pylist()}
        after = {row.source_id: asdict(row) for row in rows}
        gone = [source_id for source_id in before if source_id not in after]
        differing = [row for source_id, row in after.items() if before.get(source_id) != row]
        if gone:
            # Ids are hex digits, made by us: nothing to escape.
            table.delete("source_id IN (" + ", ".join(f"'{source_id}'" for source_id in gone) + ")")
        if differing:
            (
                table.merge_insert("source_id")
                .when_matched_update_all()
                .when_not_matched_insert_all()
                .execute(pa.Table.from_pylist(differing, schema=_SCHEMA))
            )
        if shape_of(self.path, int(table.version)).fragments > _FRAGMENTS_AT_MOST:
            table.optimize(cleanup_older_than=_FOR_EVER)
        version = int(table.version)
        sync(self.path, files_of(self.path, version))
        return version

"""Tables of keyed rows whose versions are pinned from outside."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from rag.errors import Conflict, Damaged
from rag.tables.keyed_table import Changes, KeyedTable
from rag.tables.lance_files import latest_version

SCHEMA = pa.schema([("key", pa.string()), ("value", pa.int64())])


def rows(**values: int) -> pa.Table:
    return pa.Table.from_pylist([{"key": key, "value": value} for key, value in values.items()], schema=SCHEMA)


@pytest.fixture
def table(tmp_path: Path) -> KeyedTable:
    return KeyedTable(tmp_path, "t", SCHEMA, "key")


def write(table: KeyedTable, base: int | None, put: pa.Table, gone: list[str] | None = None) -> int:
    version, _ = table.write(base, lambda at: Changes(table.read(at), put, gone or []))
    return version


def read(table: KeyedTable, version: int) -> dict[str, int]:
    found = table.read(version)
    return dict(zip(found["key"].to_pylist(), found["value"].to_pylist(), strict=True))


def test_making_one_reads_and_makes_nothing(table: KeyedTable, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []


def test_rows_are_added_changed_and_removed_and_every_version_stays(table: KeyedTable) -> None:
    first = write(table, None, rows(a=1, b=2))
    second = write(table, first, rows(b=3, c=4))
    third = write(table, second, rows(d=5), ["a"])
    assert read(table, first) == {"a": 1, "b": 2}
    assert read(table, second) == {"a": 1, "b": 3, "c": 4}
    assert read(table, third) == {"b": 3, "c": 4, "d": 5}
    assert table.read(third, ["key"]).column_names == ["key"]


def test_nothing_to_change_makes_no_version(table: KeyedTable) -> None:
    first = write(table, None, rows(a=1))
    assert write(table, first, rows()) == first


def test_what_lies_ahead_of_the_base_counts_as_absent(table: KeyedTable) -> None:
    first = write(table, None, rows(a=1))
    write(table, first, rows(rest_of_a_crash=2))
    assert read(table, write(table, first, rows(b=3))) == {"a": 1, "b": 3}
    assert read(table, write(table, None, rows(c=4))) == {"c": 4}


def test_an_older_version_comes_back(table: KeyedTable) -> None:
    first = write(table, None, rows(a=1))
    second = write(table, first, rows(b=2))
    third = table.restore(first, second)
    assert third > second
    assert read(table, third) == {"a": 1}
    with pytest.raises(Damaged, match="missing"):
        table.restore(99, third)


def test_rewritten_no_file_holds_what_is_gone(table: KeyedTable) -> None:
    first = write(table, None, rows(a=1, secret=2))
    new = table.rewrite(rows(a=1))
    assert read(table, new) == {"a": 1}
    before = {file for file, *_ in table.identity(first)}
    assert not [file for file, *_ in table.identity(new) if file in before and file.startswith("data/")]


def test_who_writes_at_the_same_moment_is_noticed(table: KeyedTable, tmp_path: Path) -> None:
    first = write(table, None, rows(a=1))
    other = KeyedTable(tmp_path, "t", SCHEMA, "key")

    def changes(at: int) -> Changes:
        write(other, at, rows(theirs=1))
        return Changes(table.read(at), rows(ours=1), [])

    with pytest.raises(Conflict, match=r"Another process changed t\.lance"):
        table.write(first, changes)


def test_a_torn_newer_version_is_moved_out_of_the_way(table: KeyedTable) -> None:
    first = write(table, None, rows(a=1))
    second = write(table, first, rows(b=2))
    assert latest_version(table.path) == second
    torn = min((table.path / "_versions").glob("*.manifest"))
    torn.write_bytes(torn.read_bytes()[:40])
    assert read(table, first) == {"a": 1}
    assert torn.with_name(torn.name + ".torn").exists()


def test_columns_of_another_table_are_damage(table: KeyedTable, tmp_path: Path) -> None:
    version = write(table, None, rows(a=1))
    other = KeyedTable(tmp_path, "t", pa.schema([("key", pa.string())]), "key")
    with pytest.raises(Damaged, match="columns are not the expected ones"):
        other.read(version)

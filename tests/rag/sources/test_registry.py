from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import Conflict, Damaged
from rag.sources.registry import Registry
from rag.sources.rows import SourceRow, registry_fingerprint


def row(number: int, digest: str = "d", **fields: object) -> SourceRow:
    made = SourceRow(f"{number:032x}", f"{number}.txt", digest, 10 + number, number)
    return replace(made, **fields)  # type: ignore[arg-type]


ROWS = [row(1), row(2, name="ü “x” 'y' 水.md"), row(3, size=2**40, state="failed", reason="no\ntext", changed="failed")]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "n")


def test_looking_creates_nothing(registry: Registry, tmp_path: Path) -> None:
    assert registry.rows(None) == []
    assert list(tmp_path.iterdir()) == []


def test_rows_come_back_in_the_order_of_adding(registry: Registry, tmp_path: Path) -> None:
    version = registry.write(ROWS[::-1], None)
    assert registry.rows(version) == ROWS
    assert Registry(tmp_path / "n").rows(version) == ROWS


def test_every_version_stays_what_it_was(registry: Registry) -> None:
    first = registry.write(ROWS, None)
    second = registry.write([replace(ROWS[0], digest="e"), ROWS[2], row(4)], first)
    third = registry.write([], second)
    fourth = registry.write([row(9)], third)
    assert registry.rows(first) == ROWS
    assert registry.rows(second) == [replace(ROWS[0], digest="e"), ROWS[2], row(4)]
    assert registry.rows(third) == []
    assert registry.rows(fourth) == [row(9)]
    assert first < second < third < fourth


def test_the_same_again_writes_nothing(registry: Registry) -> None:
    version = registry.write(ROWS, None)
    assert registry.write(ROWS, version) == version
    assert registry.write(ROWS[::-1], version) == version


def test_an_older_version_is_the_newest_again_without_a_row_written(registry: Registry, tmp_path: Path) -> None:
    first = registry.write(ROWS, None)
    second = registry.write([replace(ROWS[0], digest="e"), row(4)], first)
    registry.write([*ROWS, row(66)], second)  # nobody pinned this version
    data = sorted((tmp_path / "n").rglob("data/*"))
    again = registry.restore(first, second)
    assert again > second + 1
    assert registry.rows(again) == Registry(tmp_path / "n").rows(again) == ROWS
    assert sorted((tmp_path / "n").rglob("data/*")) == data
    assert registry.write([*ROWS, row(5)], again) > again
    assert registry.rows(second) == [replace(ROWS[0], digest="e"), row(4)]


def test_a_version_that_is_not_there_is_not_restored(registry: Registry) -> None:
    first = registry.write(ROWS, None)
    with pytest.raises(Damaged):
        registry.restore(99, first)
    assert registry.rows(first) == ROWS


def test_the_rest_of_a_crash_does_not_count(registry: Registry) -> None:
    base = registry.write(ROWS, None)
    registry.write([*ROWS, row(66)], base)  # nobody pinned this version
    version = registry.write([*ROWS, row(5)], base)
    assert registry.rows(version) == [*ROWS, row(5)]
    assert registry.rows(base) == ROWS
    other = registry.write([row(7)], None)
    assert registry.rows(other) == [row(7)]


def test_many_writes_do_not_pile_up(registry: Registry) -> None:
    from rag.tables.lance_files import shape_of

    version: int | None = None
    kept = {}
    for number in range(1, 60):
        version = registry.write([row(n) for n in range(1, number + 1)], version)
        kept[version] = number
    assert version is not None
    assert shape_of(registry.path, version).fragments < 40
    for old, number in list(kept.items())[::10]:
        assert len(registry.rows(old)) == number  # also those from before the joining


def test_a_version_that_is_not_there_is_damage(registry: Registry) -> None:
    with pytest.raises(Damaged, match=r"is missing \(version 3\)"):
        registry.rows(3)
    version = registry.write(ROWS, None)
    with pytest.raises(Damaged, match=rf"is missing \(version {version + 5}\)"):
        registry.rows(version + 5)


@pytest.mark.parametrize("which", ["data", "_versions", "everything"])
def test_missing_files_are_damage(which: str, registry: Registry) -> None:
    version = registry.write(ROWS, None)
    shutil.rmtree(registry.path if which == "everything" else registry.path / which)
    with pytest.raises(Damaged, match="is missing"):
        registry.rows(version)


def test_a_fingerprint_is_that_of_the_rows(registry: Registry) -> None:
    version = registry.write(ROWS, None)
    assert registry.fingerprint(None) == registry_fingerprint([])
    assert registry.fingerprint(version) == registry_fingerprint(ROWS)
    assert Registry(registry.path.parent).fingerprint(version) == registry_fingerprint(ROWS)


def test_a_file_that_changes_is_read_again(registry: Registry) -> None:
    version = registry.write(ROWS, None)
    assert registry.rows(version) == ROWS
    (data,) = (registry.path / "data").iterdir()
    content = bytearray(data.read_bytes())
    at = content.index(ROWS[1].source_id.encode())
    content[at] = ord("f")
    data.write_bytes(content)
    assert registry.rows(version) != ROWS
    assert registry.fingerprint(version) != registry_fingerprint(ROWS)


def test_a_number_that_was_used_before_is_another_version(registry: Registry) -> None:
    version = registry.write(ROWS, None)
    shutil.rmtree(registry.path)
    other = Registry(registry.path.parent)
    while (again := other.write([row(9)], None)) < version:
        continue
    assert again == version
    assert registry.rows(version) == [row(9)]


def test_the_same_source_written_by_two_at_once_is_a_conflict_or_one_row(registry: Registry) -> None:
    base = registry.write(ROWS, None)
    others = [Registry(registry.path.parent) for _ in range(4)]

    def write(number: int) -> object:
        try:
            return others[number].write([*ROWS, row(7)], base)
        except Conflict:
            return None

    with ThreadPoolExecutor(4) as pool:
        versions = [version for version in pool.map(write, range(4)) if isinstance(version, int)]
    for version in versions:
        assert Registry(registry.path.parent).rows(version) == [*ROWS, row(7)]

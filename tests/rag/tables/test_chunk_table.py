from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lancedb
import numpy as np
import pytest

from rag.errors import AlreadyExists, Damaged, NotWritable, StoreError, VectorInvalid
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import files_of, shape_of
from rag.tables.tidying import tidy
from tests.tables import many, reopened, row, vector, written

SQL = ["o'brien", '"q"', "x' OR '1'='1", "'; DROP TABLE t; --", "\\'", "%", "null", "`b`", "$1", "?", "", " ", "a\0b"]


@pytest.mark.parametrize("odd", SQL)
def test_values_are_never_sql(table: ChunkTable, odd: str) -> None:
    table.upsert([row(one, one) for one in SQL])
    others = {one for one in SQL if one != odd}
    first = table.version
    assert [found.id for found in table.rows_of_source(odd)] == [odd]
    assert table.reader().full_text("dog", 50, source_ids=[odd], ids=[odd])[0][0] == odd
    acts: list[Callable[[], int]] = [
        lambda: table.delete([odd]),
        lambda: table.delete_sources([odd]),
        lambda: table.replace([odd], []),
        lambda: table.replace([odd], [row("fresh", odd)]),
    ]
    for act in acts:
        act()
        assert set(table.reader().ids()) - {"fresh"} == others
        table.restore(first)


def test_replace_swaps_all_rows_of_its_sources_in_one_commit(table: ChunkTable) -> None:
    table.replace(["a", "b", "c"], many("a", 5) + many("b", 5) + many("c", 5))
    before = table.version
    assert table.replace(["a"], many("a", 3, "a cat")) == before + 1
    assert [found.text for found in table.rows_of_source("a")] == [f"a cat w{n}" for n in range(3)]
    assert table.replace(["a", "b"], many("b", 7)) == before + 2
    assert table.rows_of_source("a") == []
    assert [found.ordinal for found in table.rows_of_source("b")] == list(range(7))
    assert table.replace(["b", "nobody"], []) == before + 3
    assert set(table.reader().source_ids()) == {"c"}
    with pytest.raises(ValueError, match="not replaced"):
        table.replace(["a"], [row("x", "other")])
    # an id that moves to another source is moved, not doubled
    assert table.replace(["d"], [row("c-0", "d")]) == before + 4
    assert sorted(found.id for found in table.rows_of_source("d")) == ["c-0"]
    assert table.count == 5


def test_replace_of_what_is_not_there_appends_and_leaves_all_other_files(table: ChunkTable) -> None:
    table.replace(["a"], many("a", 5))
    before = {file.path for file in files_of(table.path, table.version) if file.path.startswith("data/")}
    assert table.replace(["b", "c"], many("b", 3)) == table.version
    after = {file.path for file in files_of(table.path, table.version) if file.path.startswith(("data/", "_del"))}
    assert len(after - before) == 1
    assert before < after
    assert [found.id for found in table.rows(["b-2", "a-0", "nobody", "b-0"])] == ["b-2", "a-0", "b-0"]
    with pytest.raises(VectorInvalid):
        table.replace(["d"], [row("d-0", "d", vector=vector(1) * np.float32(2))])


def test_replace_of_many_sources_at_once(table: ChunkTable) -> None:
    names = [f"s{n}" for n in range(600)]
    table.replace(names, [one for name in names for one in many(name, 3)])
    before = table.version
    assert table.replace(names[:500], [one for name in names[:500] for one in many(name, 2)]) == before + 1
    assert table.count == 500 * 2 + 100 * 3


def test_upsert_replaces_by_id_and_the_later_of_two_counts(table: ChunkTable) -> None:
    table.upsert([row("a", text="one"), row("b")])
    table.upsert([row("a", text="two"), row("c"), row("a", text="three")])
    assert [found.text for found in table.rows(["a", "b", "c"])] == ["three", "a dog", "a dog"]
    assert table.count == 3


def test_writes_of_nothing_make_no_commit(table: ChunkTable) -> None:
    before = table.version
    assert table.upsert([]) == table.delete([]) == table.delete_sources([]) == table.replace([], []) == before


def test_the_same_build_twice_reads_the_same(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        table = ChunkTable.create(tmp_path / name, "t", 8, "")
        table.replace(["a", "b"], many("a", 300) + many("b", 300))
        table.replace(["a"], many("a", 250))
        tidy(table)
        reader = table.reader()
        found.append((reader.ids(), reader.nearest(vector(3), 20), reader.matching("w3 w5", 20)))
    assert found[0] == found[1]


def test_ten_more_rows_write_little(tmp_path: Path) -> None:
    table = ChunkTable.create(tmp_path, "t", 384, "")
    table.replace(
        ["big"], [row(f"{n:064d}", "big", f"word{n % 991} and more", vector=vector(n, 384)) for n in range(5000)]
    )
    tidy(table)
    before = written(tmp_path)
    table.replace(["new"], [row(f"new{n:061d}", "new", vector=vector(n, 384)) for n in range(10)])
    tidy(table)
    after = written(tmp_path)
    assert sum(size for name, size in after.items() if name not in before) < 40_000


def test_restore_makes_an_old_version_current(table: ChunkTable) -> None:
    good = table.upsert(many("s", 3))
    table.clear()
    rest = table.upsert([row("rest of a crash")])
    assert table.restore(good) == rest + 1
    assert table.reader().ids() == ("s-0", "s-1", "s-2")
    assert table.restore(table.version) == rest + 1
    table.upsert([row("next")])
    assert reopened(table).count == 4
    with pytest.raises(Damaged, match="999"):
        table.restore(999)
    assert table.upsert([row("still writable")]) == rest + 3


def test_a_pinned_table_never_changes(table: ChunkTable) -> None:
    version = table.upsert(many("s", 3))
    pinned = reopened(table, version)
    table.clear()
    writes: list[Callable[[], object]] = [
        lambda: pinned.upsert([row("x")]),
        lambda: pinned.replace(["s"], [row("x")]),
        lambda: pinned.replace(["s"], []),
        lambda: pinned.delete(["s-0"]),
        lambda: pinned.delete_sources(["s"]),
        lambda: pinned.delete([]),
        pinned.clear,
        lambda: pinned.restore(1),
        lambda: pinned.restore(version),
        pinned.rebuild_text_index,
    ]
    for write in writes:
        with pytest.raises(NotWritable, match="never changes"):
            write()
    assert tidy(pinned) == version
    assert (pinned.version, pinned.count, table.count) == (version, 3, 0)


def test_two_writers_lose_nothing(table: ChunkTable) -> None:
    tables = [table, reopened(table)]

    def write(number: int) -> None:
        for n in range(8):
            tables[number].replace([f"{number}-{n}"], many(f"{number}-{n}", 3))
            if n % 4 == 3:
                tables[number].delete_sources([f"{number}-{n - 1}"])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (0, 1)))
    assert reopened(table).count == 2 * (8 - 2) * 3


def index_folders(table: ChunkTable) -> set[str]:
    return {file.path.split("/")[1] for file in files_of(table.path, table.version) if file.path.startswith("_ind")}


def test_tidy_leaves_small_changes_alone_and_indexes_large_ones(table: ChunkTable) -> None:
    table.upsert(many("s", 60))
    before = table.version
    assert tidy(table) == before
    table.upsert(many("t", 100))
    index = index_folders(table)
    assert tidy(table) == before + 2
    assert index_folders(table) != index
    assert tidy(table) == before + 2
    assert len(table.reader().full_text("dog", 1000)) == 160


def test_tidy_lets_more_rows_wait_in_a_large_table(table: ChunkTable) -> None:
    table.upsert(many("s", 5000))
    tidy(table)
    table.upsert(many("t", 100))
    before = table.version
    assert tidy(table) == before
    table.upsert(many("u", 10))
    assert tidy(table) == before + 2


def test_tidy_compacts_many_fragments_and_keeps_every_version(table: ChunkTable) -> None:
    counts = {}
    for n in range(40):
        counts[table.replace([f"s{n}"], many(f"s{n}", 2))] = 2 * (n + 1)
    before = (
        set(table.reader().ids()),
        table.reader().nearest(vector(1), 5)[0][1],
        len(table.reader().full_text("dog", 99)),
    )
    tidy(table)
    shape = shape_of(table.path, table.version)
    assert (shape.fragments, shape.deleted) == (1, 0)
    after = (
        set(table.reader().ids()),
        table.reader().nearest(vector(1), 5)[0][1],
        len(table.reader().full_text("dog", 99)),
    )
    assert after == before
    for version, count in counts.items():
        assert reopened(table, version).count == count
        files_of(table.path, version)


def test_tidy_clears_out_deleted_rows(table: ChunkTable) -> None:
    table.replace(["a", "b"], many("a", 1500) + many("b", 200))
    table.delete_sources(["a"])
    assert shape_of(table.path, table.version).deleted == 1500
    tidy(table)
    assert shape_of(table.path, table.version).deleted == 0
    assert table.count == 200


@pytest.mark.parametrize("garbage", [False, True])
def test_compaction_survives_a_damaged_text_index(table: ChunkTable, garbage: bool) -> None:
    table.upsert(many("s", 300))
    tidy(table)
    for n in range(35):
        table.upsert(many(f"n{n}", 2))
    for file in files_of(table.path, table.version):
        if file.path.startswith("_indices"):
            (table.path / file.path).unlink()
            if garbage:
                (table.path / file.path).write_bytes(b"x" * file.size)
    opened = reopened(table)
    tidy(opened)
    assert shape_of(opened.path, opened.version).fragments == 1
    assert len(opened.reader().full_text("dog", 1000)) == 370


def test_a_table_without_a_text_index_gets_one(table: ChunkTable) -> None:
    lancedb.connect(table.path.parent).open_table("t").drop_index("text_idx")
    opened = reopened(table)
    opened.upsert(many("s", 3))
    tidy(opened)
    assert index_folders(opened)


def test_a_missing_newest_version_is_not_passed_over(table: ChunkTable) -> None:
    first = table.upsert(many("a", 3))
    newest = table.upsert(many("b", 3))
    (table.path / "_versions" / f"{2**64 - 1 - newest:020d}.manifest").unlink()
    with pytest.raises(Damaged, match=f"version {newest}"):
        reopened(table, newest)
    assert reopened(table, first).count == 3


def test_create_refuses_what_exists_and_where_it_cannot(table: ChunkTable, tmp_path: Path) -> None:
    with pytest.raises(AlreadyExists):
        ChunkTable.create(tmp_path, "t", 8, "")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError):
        ChunkTable.create(tmp_path / "file", "t", 8, "")

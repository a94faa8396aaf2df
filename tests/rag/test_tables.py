from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import rag.tables
from rag.errors import (
    AlreadyExists,
    Conflict,
    Damaged,
    DiskFull,
    NewerFormat,
    NotFound,
    NotWritable,
    StoreError,
    VectorInvalid,
)
from rag.lance_files import files_of, latest_version, shape_of
from rag.tables import ChunkRow, ChunkTable


def vector(seed: int, width: int = 8) -> NDArray[np.float32]:
    numbers = np.random.default_rng(seed).standard_normal(width)
    return (numbers / np.linalg.norm(numbers)).astype(np.float32)


def row(name: str, source: str = "s", text: str = "a dog", **more: Any) -> ChunkRow:
    more.setdefault("vector", vector(sum(map(ord, name))))
    return ChunkRow(name, source, more.pop("ordinal", 0), text, **more)


def many(source: str, count: int, text: str = "a dog") -> list[ChunkRow]:
    return [row(f"{source}-{n}", source, f"{text} w{n % 7}", ordinal=n, vector=vector(n)) for n in range(count)]


def written(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def table(tmp_path: Path) -> ChunkTable:
    return ChunkTable.create(tmp_path, "t", 8, "a space")


def reopened(table: ChunkTable, version: int | None = None) -> ChunkTable:
    return ChunkTable.open(table.path.parent, table.path.stem, version)


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize("indexed", [True, False])
def test_terms_are_counted_by_chunk(table: ChunkTable, indexed: bool) -> None:
    if not indexed:
        lancedb.connect(table.path.parent).open_table("t").drop_index("text_idx")
        table = reopened(table)
    table.upsert([row("a", text="a dog and a dog", language="en"), row("b", text="a cat", language="en")])
    found = table.reader().frequencies()
    assert found is not None
    assert (found.rows, found.length) == (2, 3.5)
    assert (found.having["dog"], found.having["a"]) == (1, 2)
    assert (found.stands("cat"), found.stands("owl")) == (True, False)


def test_terms_of_many_chunks_are_counted_in_some_and_searched_for_in_all(table: ChunkTable) -> None:
    table.upsert([*many("s", 3000), row("one", text="an okapi")])
    table.tidy()
    found = table.reader().frequencies()
    assert found is not None
    assert found.rows == found.having["dog"] + found.having["okapi"] == 2048
    assert found.having["w1"] == pytest.approx(2048 / 7, rel=0.1)
    everything = many("z", 3000, "a heron") and found.stands("okapi")
    assert everything
    assert not found.stands("owl")


def test_rows_come_back_as_written(table: ChunkTable) -> None:
    full = row(
        "full",
        text="Ünïcode 日本語 🙂\n\0 'quoted' \"twice\"",
        ordinal=3,
        page=2,
        page_end=3,
        start=2**40,
        end=2**40 + 9,
        heading="Part › One",
        metadata={"a": [1, None, {"b": "ç"}], "z": 1.5, "b": True},
        node={"x": [1, 2]},
    )
    bare = row("bare", ordinal=1)
    version = table.upsert([full, bare])
    for opened in (table, reopened(table), reopened(table, version)):
        assert opened.rows(["full", "none", "bare", "full"]) == [full, bare, full]
        assert (opened.version, opened.count, opened.dimensions, opened.space) == (version, 2, 8, "a space")
        (found,) = opened.rows(["full"], with_vectors=True)
        assert found.vector is not None
        assert found.vector.dtype == np.float32
        assert np.array_equal(found.vector, full.vector)  # type: ignore[arg-type]
        assert opened.rows(["full"])[0].vector is None
        assert opened.rows_of_source("s") == [bare, full]
        assert list(opened.rows(["full"])[0].metadata) == ["a", "z", "b"]


text = st.text(max_size=12)


@settings(max_examples=20, deadline=None)
@given(
    names=st.lists(st.tuples(text, text, text), min_size=1, max_size=6, unique_by=lambda one: one[0]),
    metadata=st.dictionaries(text, text | st.integers() | st.none() | st.booleans(), max_size=3),
    chosen=st.integers(0, 5),
)
def test_any_text_survives_and_a_delete_removes_exactly_it(
    names: list[tuple[str, str, str]], metadata: dict[str, Any], chosen: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = ChunkTable.create(Path(folder), "t", 8, "")
        rows = [row(name, source, words, metadata=metadata) for name, source, words in names]
        table.upsert(rows)
        assert table.rows([one.id for one in rows]) == rows
        gone = rows[chosen % len(rows)]
        first = table.version
        table.delete([gone.id])
        assert table.reader().ids() == tuple(one.id for one in rows if one is not gone)
        table.restore(first)
        table.delete_sources([gone.source_id])
        assert table.reader().ids() == tuple(one.id for one in rows if one.source_id != gone.source_id)
        table.restore(first)
        table.replace([gone.source_id], [])
        assert table.rows_of_source(gone.source_id) == []
        assert table.count == sum(one.source_id != gone.source_id for one in rows)


SQL = ["o'brien", '"q"', "x' OR '1'='1", "'; DROP TABLE t; --", "\\'", "%", "null", "`b`", "$1", "?", "", " ", "a\0b"]


@pytest.mark.parametrize("odd", SQL)
def test_values_are_never_sql(table: ChunkTable, odd: str) -> None:
    table.upsert([row(one, one) for one in SQL])
    others = {one for one in SQL if one != odd}
    first = table.version
    assert [found.id for found in table.rows_of_source(odd)] == [odd]
    assert table.full_text("dog", 50, source_ids=[odd], ids=[odd])[0][0] == odd
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


def test_half_a_surrogate_pair_is_refused_and_never_found(table: ChunkTable) -> None:
    half = "\ud83d"
    for bad in (row(half), row("a", half), row("a", text=half), row("a", metadata={"k": half}), row("a", heading=half)):
        with pytest.raises(StoreError, match="surrogate"):
            table.upsert([bad])
    table.upsert([row("a")])
    version = table.version
    assert table.delete([half]) == table.delete_sources([half]) == table.replace([half], []) == version
    assert table.rows([half]) == table.rows_of_source(half) == []
    assert table.full_text(half + "dog " + half, 5)[0][0] == "a"
    assert table.full_text(half, 5) == []


def test_what_is_no_json_or_no_number_is_refused(table: ChunkTable) -> None:
    for bad in (row("a", metadata={"k": {1, 2}}), row("a", page=2**31), row("a", node={"k": object()})):
        with pytest.raises(StoreError, match="cannot be stored"):
            table.upsert([bad])
    assert table.count == 0


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [1.0] + [0.0] * 7,
        np.ones(8) / np.sqrt(8),
        np.zeros(8, dtype=np.float32),
        np.full(8, np.nan, dtype=np.float32),
        np.array([np.inf] + [0] * 7, dtype=np.float32),
        vector(1) * np.float32(1.002),
        vector(1, 7),
        vector(1).reshape(1, 8),
    ],
)
def test_vectors_are_checked_on_every_write(table: ChunkTable, bad: Any) -> None:
    rows = [row("fine"), row("bad", vector=bad)]
    before = table.version
    writes: list[Callable[[], int]] = [lambda: table.upsert(rows), lambda: table.replace(["s"], rows)]
    for write in writes:
        with pytest.raises(VectorInvalid, match="'bad'"):
            write()
    assert table.version == before == latest_version(table.path)
    table.upsert([row("near", vector=vector(1) * np.float32(1.0005))])


# ---------------------------------------------------------------- writes


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


def test_few_rows_are_found_alike_with_and_without_all_ids_in_memory(table: ChunkTable) -> None:
    table.replace(["a"], many("a", 90))
    asked = [f"a-{n}" for n in (7, 3, 3, 80)] + ["\ud800", "'; --", ""]
    by_scan, in_memory = table.reader(), reopened(table, table.version).reader()
    in_memory.numbers([])
    expected = ["a-7", "a-3", "a-3", "a-80"]
    assert [one.id for one in by_scan.rows(asked)] == [one.id for one in in_memory.rows(asked)] == expected
    (vectors,) = ([one.vector for one in reader.rows(asked[:1], with_vectors=True)] for reader in (by_scan,))
    assert np.array_equal(vectors[0], in_memory.rows(asked[:1], with_vectors=True)[0].vector)


def test_what_is_beside_is_of_the_same_source(table: ChunkTable) -> None:
    table.replace(["a", "b"], [*many("a", 5), *many("b", 2)])
    reader = table.reader()
    assert [one.id for one in reader.beside(reader.rows(["a-3", "b-0"]))] == ["a-2", "a-3", "a-4", "b-0", "b-1"]
    assert [one.id for one in reader.beside(reader.rows(["a-0"]))] == ["a-0", "a-1"]
    assert reader.beside([]) == []


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
        table.tidy()
        reader = table.reader()
        found.append((reader.ids(), reader.nearest(vector(3), 20), reader.matching("w3 w5", 20)))
    assert found[0] == found[1]


def test_ten_more_rows_write_little(tmp_path: Path) -> None:
    table = ChunkTable.create(tmp_path, "t", 384, "")
    table.replace(
        ["big"], [row(f"{n:064d}", "big", f"word{n % 991} and more", vector=vector(n, 384)) for n in range(5000)]
    )
    table.tidy()
    before = written(tmp_path)
    table.replace(["new"], [row(f"new{n:061d}", "new", vector=vector(n, 384)) for n in range(10)])
    table.tidy()
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
    assert pinned.tidy() == version
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


def test_threads_read_one_version_while_another_writes(table: ChunkTable) -> None:
    table.replace(["s"], many("s", 50))
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            reader = table.reader()
            hits = reader.nearest(vector(1), 50)
            found = reader.rows_at([number for number, _ in hits])
            texts = {one.text.split(" w")[0] for one in found}
            if len(texts) != 1 or len(found) != reader.count or len(reader.matching("dog cat", 99)) != reader.count:
                wrong.append((texts, len(found), reader.count))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(12):
        table.replace(["s"], many("s", 50 - n, "a cat" if n % 2 else "a dog"))
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


# ---------------------------------------------------------------- reads


def test_reading_writes_nothing(table: ChunkTable) -> None:
    version = table.upsert(many("s", 30))
    before = written(table.path.parent)
    for opened in (reopened(table), reopened(table, version), reopened(table, 1)):
        opened.exact()
        opened.full_text("dog", 3)
        opened.rows_of_source("s")
        opened.scan(["id"])
    with pytest.raises(NotFound):
        ChunkTable.open(table.path.parent / "nowhere", "t")
    with pytest.raises(NotFound):
        ChunkTable.open(table.path.parent, "other")
    assert written(table.path.parent) == before
    assert not (table.path.parent / "nowhere").exists()


def test_vectors_and_ids_share_row_numbers(table: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        table.replace([f"s{n}"], many(f"s{n}", 20))
    table.replace(["s2"], many("s2", 3))
    table.delete(["s4-7"])
    monkeypatch.setattr(rag.tables, "_ZERO_COPY_ROWS", 10)
    copied, ids = reopened(table).exact()
    monkeypatch.setattr(rag.tables, "_ZERO_COPY_ROWS", 1000)
    whole, same_ids = reopened(table).exact()
    assert np.array_equal(copied.matrix, whole.matrix)
    assert ids == same_ids
    for found in table.rows(ids, with_vectors=True):
        assert found.vector is not None
        assert np.array_equal(found.vector, whole.matrix[ids.index(found.id)])
    assert table.scan(["id", "page"])["id"].to_pylist() == list(ids)
    assert table.exact()[0] is table.exact()[0]


def test_an_empty_table_answers(table: ChunkTable) -> None:
    for opened in (table, reopened(table, 1), reopened(table, 2)):
        assert opened.count == 0
        assert opened.exact()[1] == ()
        assert opened.reader().nearest(vector(1), 5) == []
        assert opened.full_text("dog", 5) == []
        assert opened.rows(["x"]) == opened.rows_of_source("x") == []
        assert opened.scan(["id", "vector"]).num_rows == 0


def test_rows_where_meets_every_condition(table: ChunkTable) -> None:
    table.upsert([row(f"{s}{n}", s, metadata={"n": n}) for s in "ab" for n in range(4)])
    reader = table.reader()

    def names(**conditions: Any) -> list[str]:
        rows = reader.rows_where(**conditions)
        assert rows is not None
        return [reader.ids()[number] for number in rows]

    assert reader.rows_where() is None
    assert names(ids=["b1", "a0", "zz"]) == ["a0", "b1"]
    assert names(source_ids=["b"]) == ["b0", "b1", "b2", "b3"]
    assert names(source_ids=["b"], ids=["a0", "b1", "b3"], keep=lambda one: one["n"] > 1) == ["b3"]
    assert names(ids=[]) == []


# ---------------------------------------------------------------- full text


ODD_QUERIES = [
    "",
    " ",
    "*",
    '"',
    '"a',
    "(",
    "+ -",
    "🙂",
    "!!!",
    "\0",
    "^~",
    "x" * 5000,
    "\\",
    "[a TO",
    "\n",
]


@pytest.mark.parametrize("indexed", [True, False])
def test_any_text_is_a_query(table: ChunkTable, indexed: bool) -> None:
    table.upsert([row("1", text="The running dogs"), row("2", text="say 'cat' AND go"), row("3", text="foo_bar v2.3")])
    if not indexed:
        lancedb.connect(table.path.parent).open_table("t").drop_index("text_idx")
        table = reopened(table)
    for query in ODD_QUERIES:
        assert table.full_text(query, 5) == []
    assert [name for name, _ in table.full_text('"dog" OR (runs*)', 5)] == ["1"]
    assert {name for name, _ in table.full_text("cats, dog", 5)} == {"1", "2"}
    assert [name for name, _ in table.full_text("bar", 5)] == ["3"]
    assert [name for name, _ in table.full_text("AND", 5)] == ["2"]  # common words are asked for where nothing else is
    assert table.full_text("dog", 0) == []
    assert all(score > 0 for _, score in table.full_text("dog cat foo", 5))


@settings(max_examples=60, deadline=None)
@given(query=st.text(alphabet=st.characters(exclude_categories=[]), max_size=40))
def test_no_query_raises(searchable: ChunkTable, query: str) -> None:
    assert isinstance(searchable.full_text(query, 3), list)


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> ChunkTable:
    """Sentences in several languages, half of them in the index, half written after it."""
    table = ChunkTable.create(tmp_path_factory.mktemp("words"), "t", 8, "")
    table.upsert([row(name, text=words) for name, words in list(SENTENCES.items())[::2]])
    table.rebuild_text_index()
    table.upsert([row(name, text=words) for name, words in list(SENTENCES.items())[1::2]])
    return table


SENTENCES = {
    "de": "Die Häuser stehen an den Straßen, sagt das Bundesverfassungsgericht.",
    "de2": "Äpfel und Birnen werden im Herbst geerntet.",
    "zh": "北京大学的图书馆收藏了许多古籍。",
    "zh2": "人工智能正在改变世界。",
    "ja": "東京タワーは日本の首都にある観光名所です。",
    "ja2": "機械学習のモデルを訓練する。",
    "th": "กรุงเทพเป็นเมืองหลวงของประเทศไทย",
    "ar": "القاهرة عاصمة مصر",
    "en": "The running dogs were chasing cats; see rag.store and foo_bar",
    "en2": "error E1234 in the café: dying is hard",
}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Häuser", "de"),
        ("HAUSER", "de"),
        ("Straßen", "de"),
        ("strassen", "de"),
        ("Bundesverfassungsgericht", "de"),
        ("äpfel", "de2"),
        ("图书馆", "zh"),
        ("北京", "zh"),
        ("人工智能", "zh2"),
        ("世界", "zh2"),
        ("東京", "ja"),
        ("タワー", "ja"),
        ("観光", "ja"),
        ("機械学習", "ja2"),
        ("モデル", "ja2"),
        ("เมืองหลวง", "th"),
        ("القاهرة", "ar"),
        ("dog", "en"),
        ("cat", "en"),
        ("run", "en"),
        ("store", "en"),
        ("bar", "en"),
        ("e1234", "en2"),
        ("cafe", "en2"),
    ],
)
def test_words_of_many_languages_are_found(searchable: ChunkTable, query: str, name: str) -> None:
    assert name in [found for found, _ in searchable.full_text(query, 3)]


def test_full_text_stays_within_its_restriction(table: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    table.replace(["a", "b"], many("a", 60) + many("b", 60))
    table.rebuild_text_index()
    table.replace(["c"], many("c", 20))
    everything = dict(table.full_text("w3 w4", 1000))
    assert len(everything) == sum(found.text[-1] in "34" for found in table.rows(table.reader().ids()))
    for limit in (5000, 3):  # few rows: filtered by Lance; many: here
        monkeypatch.setattr(rag.tables, "_ROW_IDS_IN_SQL", limit)
        found = dict(table.full_text("w3 w4", 1000, source_ids=["b", "c"]))
        assert found.keys() == {name for name in everything if name[0] in "bc"}
        assert [name for name, _ in table.full_text("w3", 5, ids=["a-3", "a-4", "b-3"])] == ["a-3", "b-3"]
    assert table.full_text("w3", 5, source_ids=["zz"]) == []


def test_scores_fall_and_equal_ones_come_in_row_order(table: ChunkTable) -> None:
    table.upsert([row(f"{n}", text="same words here") for n in range(40)] + [row("best", text="same")])
    hits = table.full_text("same", 10)
    assert hits[0][0] == "best"
    assert [name for name, _ in hits[1:]] == [f"{n}" for n in range(9)]
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)


# ---------------------------------------------------------------- tidy


def index_folders(table: ChunkTable) -> set[str]:
    return {file.path.split("/")[1] for file in files_of(table.path, table.version) if file.path.startswith("_ind")}


def test_tidy_leaves_small_changes_alone_and_indexes_large_ones(table: ChunkTable) -> None:
    table.upsert(many("s", 60))
    before = table.version
    assert table.tidy() == before
    table.upsert(many("t", 100))
    index = index_folders(table)
    assert table.tidy() == before + 2
    assert index_folders(table) != index
    assert table.tidy() == before + 2
    assert len(table.full_text("dog", 1000)) == 160


def test_tidy_lets_more_rows_wait_in_a_large_table(table: ChunkTable) -> None:
    table.upsert(many("s", 5000))
    table.tidy()
    table.upsert(many("t", 100))
    before = table.version
    assert table.tidy() == before
    table.upsert(many("u", 10))
    assert table.tidy() == before + 2


def test_tidy_compacts_many_fragments_and_keeps_every_version(table: ChunkTable) -> None:
    counts = {}
    for n in range(40):
        counts[table.replace([f"s{n}"], many(f"s{n}", 2))] = 2 * (n + 1)
    before = (set(table.reader().ids()), table.reader().nearest(vector(1), 5)[0][1], len(table.full_text("dog", 99)))
    table.tidy()
    shape = shape_of(table.path, table.version)
    assert (shape.fragments, shape.deleted) == (1, 0)
    after = (set(table.reader().ids()), table.reader().nearest(vector(1), 5)[0][1], len(table.full_text("dog", 99)))
    assert after == before
    for version, count in counts.items():
        assert reopened(table, version).count == count
        files_of(table.path, version)


def test_tidy_clears_out_deleted_rows(table: ChunkTable) -> None:
    table.replace(["a", "b"], many("a", 1500) + many("b", 200))
    table.delete_sources(["a"])
    assert shape_of(table.path, table.version).deleted == 1500
    table.tidy()
    assert shape_of(table.path, table.version).deleted == 0
    assert table.count == 200


def test_a_lost_text_index_is_named_and_made_anew(table: ChunkTable) -> None:
    table.upsert(many("s", 300))
    table.tidy()
    lost = next(file for file in files_of(table.path, table.version) if file.path.startswith("_indices"))
    for path in (table.path / lost.path).parent.iterdir():
        path.unlink()
    broken = reopened(table)
    assert broken.rows(["s-7"])[0].id == "s-7"
    with pytest.raises(Damaged, match=r"_indices/.* missing"):
        broken.full_text("dog", 3)
    broken.rebuild_text_index()
    assert len(broken.full_text("dog", 1000)) == 300


@pytest.mark.parametrize("garbage", [False, True])
def test_compaction_survives_a_damaged_text_index(table: ChunkTable, garbage: bool) -> None:
    table.upsert(many("s", 300))
    table.tidy()
    for n in range(35):
        table.upsert(many(f"n{n}", 2))
    for file in files_of(table.path, table.version):
        if file.path.startswith("_indices"):
            (table.path / file.path).unlink()
            if garbage:
                (table.path / file.path).write_bytes(b"x" * file.size)
    opened = reopened(table)
    opened.tidy()
    assert shape_of(opened.path, opened.version).fragments == 1
    assert len(opened.full_text("dog", 1000)) == 370


def test_a_table_without_a_text_index_gets_one(table: ChunkTable) -> None:
    lancedb.connect(table.path.parent).open_table("t").drop_index("text_idx")
    opened = reopened(table)
    opened.upsert(many("s", 3))
    opened.tidy()
    assert index_folders(opened)


# ---------------------------------------------------------------- damage


def read_all(folder: Path, version: int | None) -> None:
    reader = ChunkTable.open(folder, "t", version).reader()
    reader.nearest(vector(1), 3)
    reader.full_text("dog", 3)
    reader.rows_at(range(reader.count))


def test_every_lost_or_torn_file_is_named(table: ChunkTable, tmp_path_factory: pytest.TempPathFactory) -> None:
    table.replace(["a"], many("a", 300))
    table.tidy()
    table.replace(["a"], many("a", 200))
    version = table.upsert(many("b", 5))
    for file in files_of(table.path, version):
        for keep in (None, 0.0, 0.5):
            folder = tmp_path_factory.mktemp("damaged")
            shutil.copytree(table.path, folder / "t.lance")
            path = folder / "t.lance" / file.path
            whole = path.read_bytes()
            if keep is None:
                path.unlink()
            else:
                path.write_bytes(whole[: int(len(whole) * keep)])
            if keep == 0.5 and "_deletions" in file.path:
                continue
            if "part_0" in file.path and "invert" not in file.path and keep is not None:
                continue  # Lance may not read these in full for this query; files_of names them (test_lance_files)
            with pytest.raises(Damaged, match=path.name.replace(".", r"\.")):
                read_all(folder, version)


def test_a_missing_newest_version_is_not_passed_over(table: ChunkTable) -> None:
    first = table.upsert(many("a", 3))
    newest = table.upsert(many("b", 3))
    (table.path / "_versions" / f"{2**64 - 1 - newest:020d}.manifest").unlink()
    with pytest.raises(Damaged, match=f"version {newest}"):
        reopened(table, newest)
    assert reopened(table, first).count == 3


def test_any_flipped_byte_is_damage_or_goes_unnoticed_but_never_another_error(
    table: ChunkTable, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table.replace(["a"], many("a", 40))
    table.rebuild_text_index()
    version = table.delete(["a-3"])
    chance = np.random.default_rng(0)
    for file in files_of(table.path, version):
        for _ in range(4):
            folder = tmp_path_factory.mktemp("flipped")
            shutil.copytree(table.path, folder / "t.lance")
            path = folder / "t.lance" / file.path
            raw = bytearray(path.read_bytes())
            raw[chance.integers(len(raw))] ^= 1 << chance.integers(8)
            path.write_bytes(raw)
            message = "t.lance"
            try:
                read_all(folder, version)
            except StoreError as error:
                message = str(error)
            assert "t.lance" in message or "bytes have changed" in message


def test_foreign_and_newer_tables_are_refused(tmp_path: Path) -> None:
    database = lancedb.connect(tmp_path)
    database.create_table("foreign", pa.table({"id": ["a"]}))
    with pytest.raises(Damaged, match="no table of Ragbook"):
        ChunkTable.open(tmp_path, "foreign")
    for name, described in (
        ("newer", {"format": 99, "dimensions": 8, "space": ""}),
        ("odd", {"format": 1, "dimensions": "8", "space": ""}),
        ("other", {"format": 1, "dimensions": 8, "space": ""}),
    ):
        schema = pa.schema([pa.field("id", pa.string())], metadata={b"ragbook": json.dumps(described).encode()})
        database.create_table(name, schema=schema)
        with pytest.raises(NewerFormat if name == "newer" else Damaged):
            ChunkTable.open(tmp_path, name)


def test_create_refuses_what_exists_and_where_it_cannot(table: ChunkTable, tmp_path: Path) -> None:
    with pytest.raises(AlreadyExists):
        ChunkTable.create(tmp_path, "t", 8, "")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError):
        ChunkTable.create(tmp_path / "file", "t", 8, "")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("LanceError(IO): Generic LocalFileSystem error: No space left on device (os error 28)", DiskFull),
        ("Unable to write: Permission denied (os error 13)", NotWritable),
        ("Read-only file system (os error 30)", NotWritable),
        ("Retryable commit conflict for version 3: preempted by concurrent transaction Delete", Conflict),
        ("something else\nwith a second line", StoreError),
    ],
)
def test_failures_of_lance_have_names(table: ChunkTable, text: str, kind: type[Exception]) -> None:
    with pytest.raises(StoreError) as caught, rag.tables._writing(table.path, table.version):
        raise RuntimeError(text)
    assert type(caught.value) is kind
    assert "second line" not in str(caught.value)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.building.plan import plan
from rag.sources.rows import Given, Registration, SourceRow, register, registry_fingerprint


def put(rows: Sequence[SourceRow], *sources: Given, there: Iterable[str] = ()) -> Registration:
    """Register, where only the paths in `there` exist on the disk."""
    return register(rows, sources, when="2026", exists=set(there).__contains__)


def file(name: str, content: str, origin: str | None = None) -> Given:
    return Given(name, content, len(content), f"/in/{name}" if origin is None else origin)


def built(rows: Iterable[SourceRow]) -> list[SourceRow]:
    return [replace(row, state="indexed", built_digest=row.digest, chunks=1, snapshot=1) for row in rows]


def names(rows: Iterable[SourceRow]) -> dict[str, str]:
    return {row.name: row.digest for row in rows}


BASE = put([], file("a.txt", "A"), file("b.txt", "B")).rows
IDS = {row.name: row.source_id for row in BASE}


def test_new_sources_come_last_in_the_order_given() -> None:
    found = put(BASE, file("z.txt", "Z"), file("c.txt", "C"))
    assert found.added == ("z.txt", "c.txt")
    assert [row.name for row in found.rows] == ["a.txt", "b.txt", "z.txt", "c.txt"]
    assert [row.position for row in found.rows] == [1, 2, 3, 4]
    assert found.rows[2].added == "2026"


def test_the_same_again_is_unchanged() -> None:
    found = put(BASE, file("b.txt", "B"), file("a.txt", "A"), there=["/in/a.txt", "/in/b.txt"])
    assert found.rows == BASE
    assert found.unchanged == ("b.txt", "a.txt")
    assert found.added == found.changed == found.renamed == ()


def test_other_bytes_under_a_name_are_a_change_of_the_same_source() -> None:
    found = put(BASE, file("a.txt", "A2"))
    assert found.changed == ("a.txt",)
    assert names(found.rows) == {"a.txt": "A2", "b.txt": "B"}
    assert found.rows[0].source_id == IDS["a.txt"]
    assert found.rows[0].size == 2


def test_a_copy_is_a_source_of_its_own() -> None:
    found = put(BASE, file("c.txt", "A"), there=["/in/a.txt", "/in/b.txt", "/in/c.txt"])
    assert found.added == ("c.txt",)
    assert not found.renamed
    assert len({row.source_id for row in found.rows}) == 3


def test_a_rename_keeps_id_and_place() -> None:
    found = put(BASE, file("c.txt", "A"), there=["/in/b.txt", "/in/c.txt"])
    assert found.renamed == (("a.txt", "c.txt"),)
    assert [(row.name, row.source_id) for row in found.rows] == [("c.txt", IDS["a.txt"]), ("b.txt", IDS["b.txt"])]
    assert found.rows[0].origin == "/in/c.txt"


def test_an_upload_is_never_taken_for_a_rename() -> None:
    rows = put([], file("a.txt", "A", origin="")).rows
    assert put(rows, file("c.txt", "A", origin="")).added == ("c.txt",)
    assert put(rows, file("c.txt", "A")).added == ("c.txt",)
    assert put(BASE, file("c.txt", "A", origin="")).added == ("c.txt",)


def test_of_two_copies_of_a_vanished_file_one_is_the_renamed() -> None:
    found = put(BASE, file("c.txt", "A"), file("d.txt", "A"), there=["/in/c.txt", "/in/d.txt"])
    assert found.renamed == (("a.txt", "c.txt"),)
    assert found.added == ("d.txt",)


def test_a_file_given_under_its_old_name_too_was_not_renamed() -> None:
    found = put(BASE, file("c.txt", "A"), file("a.txt", "A", origin="/elsewhere/a.txt"))
    assert found.added == ("c.txt",)
    assert found.unchanged == ("a.txt",)
    assert found.rows[0].origin == "/elsewhere/a.txt"


def test_a_moved_folder_changes_nothing_but_the_origins() -> None:
    moved = [file(name, names(BASE)[name], origin=f"/moved/{name}") for name in names(BASE)]
    found = put(BASE, *moved, there=["/moved/a.txt", "/moved/b.txt"])
    assert registry_fingerprint(found.rows) == registry_fingerprint(BASE)
    assert [row.origin for row in found.rows] == ["/moved/a.txt", "/moved/b.txt"]


def test_swapped_names_are_two_changes_and_lose_nothing() -> None:
    found = put(BASE, file("a.txt", "B"), file("b.txt", "A"), there=["/in/a.txt", "/in/b.txt"])
    assert names(found.rows) == {"a.txt": "B", "b.txt": "A"}
    assert found.changed == ("a.txt", "b.txt")
    assert {row.source_id for row in found.rows} == set(IDS.values())


def test_a_chain_of_renames_loses_nothing() -> None:
    # a → b and b → c at once: b is given with the bytes of a, c with those of b; a is gone.
    found = put(BASE, file("b.txt", "A"), file("c.txt", "B"), there=["/in/b.txt", "/in/c.txt"])
    after = names(found.rows)
    assert after["b.txt"] == "A"
    assert after["c.txt"] == "B"
    assert len({row.source_id for row in found.rows}) == len(found.rows)


def test_the_same_source_twice_in_a_batch_is_one_source() -> None:
    found = put([], file("a.txt", "A"), file("a.txt", "A"))
    assert names(found.rows) == {"a.txt": "A"}
    assert found.added == ("a.txt",)
    found = put([], file("a.txt", "A"), file("b.txt", "A"))
    assert found.added == ("a.txt", "b.txt")
    assert len({row.source_id for row in found.rows}) == 2


def test_ids_are_made_of_content_so_that_a_library_built_twice_is_the_same() -> None:
    again = put([], file("b.txt", "B"), file("a.txt", "A")).rows
    assert {row.name: row.source_id for row in again} == IDS


def test_an_id_in_use_is_not_used_again() -> None:
    renamed = put(BASE, file("c.txt", "A"), there=["/in/c.txt"]).rows
    found = put(renamed, file("a.txt", "A"), there=["/in/c.txt", "/in/a.txt"])
    assert found.added == ("a.txt",)
    assert len({row.source_id for row in found.rows}) == 3


SOURCES = st.lists(
    st.builds(file, st.sampled_from(["a.txt", "b.txt", "c.txt", "d.txt"]), st.sampled_from("ABC")),
    max_size=4,
    unique_by=lambda one: one.name,
)


@given(SOURCES, SOURCES, st.sets(st.sampled_from(["/in/a.txt", "/in/b.txt", "/in/c.txt", "/in/d.txt"])))
def test_after_adding_every_given_source_is_there_with_its_bytes(
    first: list[Given], second: list[Given], there: set[str]
) -> None:
    rows = put([], *first).rows
    found = put(rows, *second, there=there)
    after = names(found.rows)
    assert all(after[one.name] == one.digest for one in second)
    assert len(after) == len(found.rows) == len({row.source_id for row in found.rows})
    # What is no longer there by name was renamed, and its bytes are still there.
    gone = names(rows).keys() - after.keys()
    assert gone == {old for old, _ in found.renamed}
    assert {names(rows)[name] for name in gone} <= set(after.values())
    told = [*found.added, *found.changed, *found.unchanged, *(new for _, new in found.renamed)]
    assert sorted(told) == sorted(one.name for one in second)
    assert [row.position for row in found.rows] == sorted(row.position for row in found.rows)


@given(SOURCES, st.randoms())
def test_a_registry_has_one_fingerprint_in_any_order(sources: list[Given], random: object) -> None:
    rows = list(put([], *sources).rows)
    expected = registry_fingerprint(rows)
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert registry_fingerprint(rows) == expected


def test_id_name_and_bytes_matter_to_a_registry_and_results_do_not() -> None:
    row = BASE[0]
    same = [replace(row, chunks=9), replace(row, state="failed"), replace(row, position=8), replace(row, origin="x")]
    assert {registry_fingerprint([one]) for one in same} == {registry_fingerprint([row])}
    other = [replace(row, name="x"), replace(row, digest="x"), replace(row, source_id="x")]
    assert len({registry_fingerprint([one]) for one in [row, *other]}) == 4
    assert registry_fingerprint([]) != registry_fingerprint([row])


# ---------------------------------------------------------------------- plan


def test_what_is_built_is_kept() -> None:
    done = built(BASE)
    todo = plan(BASE, done)
    assert todo.nothing
    assert todo.keep == tuple(done)  # with what the build made of them


def test_a_plan_names_what_there_is_to_do() -> None:
    done = built(put(BASE, file("old.txt", "O"), file("moved.txt", "M")).rows)
    wanted = [
        replace(done[0], digest="A2"),
        done[1],
        replace(done[3], name="there.txt"),
        SourceRow("new", "new.txt", "N", 1),
    ]
    todo = plan(wanted, done)
    assert [row.name for row in todo.read] == ["a.txt", "new.txt"]
    assert [row.name for row in todo.keep] == ["b.txt"]
    assert [(old.name, new.name) for old, new in todo.renamed] == [("moved.txt", "there.txt")]
    assert [row.name for row in todo.drop] == ["old.txt"]
    assert not todo.nothing


def test_nothing_built_means_everything_to_read() -> None:
    assert plan(BASE, []).read == BASE
    assert plan([], built(BASE)).drop == tuple(built(BASE))
    assert plan([], []).nothing


def test_a_failed_source_is_tried_again_only_with_other_bytes() -> None:
    failed = [replace(row, state="failed", reason="no text") for row in BASE]
    assert plan(BASE, failed).nothing
    assert plan([replace(BASE[0], digest="A2")], failed).read[0].name == "a.txt"


@pytest.mark.parametrize("state", ["failed", "indexed"])
def test_another_extension_is_another_reader(state: str) -> None:
    # The reader's own advice: "This is a PDF under another name. Rename it to end in .pdf, then add it again."
    done = [replace(row, state=state) for row in built(BASE)]  # type: ignore[arg-type]
    todo = plan([replace(done[0], name="a.pdf"), replace(done[1], name="c.TXT")], done)
    assert [row.name for row in todo.read] == ["a.pdf"]
    assert [new.name for _, new in todo.renamed] == ["c.TXT"]


def test_what_waits_is_read() -> None:
    assert plan(BASE, BASE).read == BASE


@given(SOURCES, SOURCES)
def test_a_plan_sorts_every_source_into_one_pile(first: list[Given], second: list[Given]) -> None:
    done = built(put([], *first).rows)
    wanted = put(done, *second).rows
    todo = plan(wanted, done)
    piles = [*todo.read, *todo.keep, *(new for _, new in todo.renamed)]
    assert sorted(row.source_id for row in piles) == sorted(row.source_id for row in wanted)
    assert {row.source_id for row in todo.drop} == {row.source_id for row in done} - {row.source_id for row in wanted}
    assert plan(built(wanted), built(wanted)).nothing

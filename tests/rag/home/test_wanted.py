"""What a notebook wants, and what is left of it where its lists are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rag.errors import Conflict, Damaged
from rag.home.wanted import Wanted, find_wanted, restore_wanted
from rag.notebook import Notebook
from rag.tables.lance_files import latest_version
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, text_of


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a and b are built; c is wanted and not built, because the model failed."""
    home = tmp_path_factory.mktemp("whole") / "home"
    model = CountingEmbedding()
    book = notebook(home, model)
    book.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    model.fail(at=len(model.seen) + 1)
    with pytest.raises(RuntimeError):
        book.add([file("c.txt", text_of(2, 3))])
    return home


@pytest.fixture
def book(whole: Path, tmp_path: Path) -> Notebook:
    shutil.copytree(whole, tmp_path / "home")
    return notebook(tmp_path / "home", CountingEmbedding())


def found(book: Notebook) -> Wanted | None:
    return find_wanted(book.place, book.place.states.newest(), book.place.snapshots.get(1))


def names(wanted: Wanted | None) -> set[str]:
    assert wanted is not None
    return {row.name for row in wanted.rows}


def newest_state(book: Notebook) -> Path:
    return max(book.place.folder.glob("state/*.json"))


def version_file(book: Notebook, version: int) -> Path:
    return book.place.registry.path / "_versions" / f"{2**64 - 1 - version:020d}.manifest"


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5])


def test_where_all_is_well_there_is_nothing_to_find(book: Notebook) -> None:
    assert found(book) is None


def test_a_damaged_state_is_made_up_for_by_the_list_of_sources(book: Notebook) -> None:
    torn(newest_state(book))
    wanted = found(book)
    assert names(wanted) == {"a.txt", "b.txt", "c.txt"}, "the list that was written before the state was"
    assert wanted is not None
    assert wanted.lost == ""


def test_a_state_without_the_list_that_came_with_it_says_what_may_be_lost(book: Notebook) -> None:
    newest = latest_version(book.place.registry.path)
    assert newest is not None
    torn(newest_state(book))
    torn(version_file(book, newest))
    wanted = found(book)
    assert names(wanted) == {"a.txt", "b.txt"}
    assert wanted is not None
    assert wanted.lost == "What was added or removed last may be lost: add or remove it again."


def test_a_list_that_was_torn_alone_is_put_together_as_far_as_the_index_proves_it(book: Notebook) -> None:
    """c.txt was never built, so nothing proves which original is its own."""
    newest = latest_version(book.place.registry.path)
    assert newest is not None
    torn(version_file(book, newest))
    wanted = found(book)
    assert names(wanted) == {"a.txt", "b.txt"}
    assert wanted is not None
    assert wanted.lost == "Sources that are not in it have to be added again."


def test_without_any_list_the_snapshot_and_the_originals_tell(book: Notebook) -> None:
    for path in version_file(book, 1).parent.iterdir():
        torn(path)
    wanted = found(book)
    assert {"a.txt", "b.txt"} <= names(wanted)
    assert wanted is not None
    assert wanted.version is None
    assert {row.digest for row in wanted.rows} <= {path.name for path in book.place.objects.root.glob("originals/*/*")}


def test_where_nothing_tells_a_name_that_is_said(book: Notebook) -> None:
    for path in version_file(book, 1).parent.iterdir():
        torn(path)
    shutil.rmtree(book.place.objects.root / "originals")
    with pytest.raises(Damaged, match="Add the files again"):
        found(book)


@pytest.mark.parametrize("lists", ["newest", "all"])
def test_what_was_found_can_be_written_and_then_all_is_well(book: Notebook, lists: str) -> None:
    newest = latest_version(book.place.registry.path)
    assert newest is not None
    for path in version_file(book, 1).parent.iterdir():
        if lists == "all" or path == version_file(book, newest):
            torn(path)
    torn(newest_state(book))
    state, wanted = book.place.states.newest(), found(book)
    assert wanted is not None
    restored = restore_wanted(book.place, state, wanted)
    assert restored.sources == len(wanted.rows)
    assert [row.name for row in book.place.registry.rows(restored.registry)] == [row.name for row in wanted.rows]
    assert found(book) is None
    assert book.build().verdict.snapshot is not None
    assert {row.name for row in book.sources()} == names(wanted)


def test_who_changed_the_sources_meanwhile_wins(book: Notebook) -> None:
    torn(newest_state(book))
    state, wanted = book.place.states.newest(), found(book)
    assert wanted is not None
    other = notebook(book.config, CountingEmbedding())
    other.add([file("d.txt", text_of(1, 4))])
    with pytest.raises(Conflict):
        restore_wanted(book.place, state, wanted)
    assert "d.txt" in {row.name for row in notebook(book.config).sources()}

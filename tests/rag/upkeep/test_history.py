from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rag.changes import Code, change
from rag.errors import Busy, Damaged, NotFound, RagbookError
from rag.home.retiring import keep, kept, unkeep
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from rag.storage.lease import lease
from rag.upkeep.history import diff, forget, rollback
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, lying, names, notebook, opened, settings, text_of

LATER = datetime.now(UTC) + timedelta(days=400)


@pytest.fixture
def book(tmp_path):
    """Snapshot 1: a, b, moved. 2: a changed, c new. 3: b out, a source renamed."""
    made = notebook(tmp_path / "home", CountingEmbedding())
    moved = lying(tmp_path / "old.txt", text_of(2, 4))
    made.add([file("a.txt", text_of(4, 1)), file("b.txt", text_of(2, 2)), moved])
    made.add([file("a.txt", text_of(3, 1) + text_of(1, 8)), file("c.txt", text_of(2, 3))])
    (tmp_path / "old.txt").rename(tmp_path / "new.txt")
    made.add([lying(tmp_path / "new.txt", text_of(2, 4))])
    made.remove(["b.txt"])
    return made


def test_diff_names_what_became_of_each_source(book):
    found = diff(book.place, 1, 4)
    assert (found.added, found.changed, found.removed) == (("c.txt",), ("a.txt",), ("b.txt",))
    assert found.renamed == (("old.txt", "new.txt"),)
    assert (found.chunks_added, found.chunks_removed, found.chunks_kept) == (3, 3, 5)
    assert found.recipe == ()
    back = diff(book.place, 4, 1)
    assert (back.added, back.removed, back.renamed) == (("b.txt",), ("c.txt",), (("new.txt", "old.txt"),))
    same = diff(book.place, 2, 2)
    assert (*same.added, *same.changed, *same.removed, *same.renamed) == ()
    assert (same.chunks_added, same.chunks_removed) == (0, 0)
    with pytest.raises(NotFound):
        diff(book.place, 1, 99)


def test_diff_names_changes_of_the_recipe(book, tmp_path):
    notebook(settings(tmp_path / "home", chunk_size=96), CountingEmbedding()).build()
    assert change(Code.CHOICE, choice="splitter.size", before="48", after="96") in diff(book.place, 4, 5).recipe


def test_rollback_pins_the_old_snapshot_again_and_calls_nobody(book, tmp_path):
    before = hits(open_snapshot(book, 1).search("river stone"))
    silent = notebook(tmp_path / "home")
    outcome = rollback(silent.place, 1)
    assert (outcome.verdict.name, outcome.verdict.snapshot) == (VerdictName.ROLLED_BACK, 5)
    assert (outcome.verdict.receipt.calls, outcome.chunks.total, outcome.chunks.reused) == (0, 8, 8)
    assert silent.status().verdict.name is VerdictName.HIT
    assert [row.name for row in silent.sources()] == ["a.txt", "b.txt", "old.txt"]
    assert hits(opened(book).search("river stone")) == before
    assert [one.snapshot for one in book.history()] == [5, 4, 3, 2, 1]
    assert silent.build().verdict.name is VerdictName.UNCHANGED
    assert rollback(silent.place, 4).chunks.total == 8
    assert names(opened(book).search("Entry 3-0", 20)) == {"a.txt", "c.txt", "new.txt"}
    # And on from there: only what is new is paid for.
    assert book.add([file("d.txt", text_of(2, 6))]).chunks.embedded == 2


def test_rollback_reads_and_writes_no_row_of_the_sources(book):
    """So that it takes as long with many sources as with few."""
    table = book.place.registry.path

    def files():
        return {path for path in table.rglob("*") if path.is_file() and path.parent.name in ("data", "_deletions")}

    before = files()
    rollback(book.place, 1)
    assert files() == before
    assert [row.name for row in book.sources()] == ["a.txt", "b.txt", "old.txt"]


def test_rollback_refuses_what_makes_no_sense(book):
    with pytest.raises(RagbookError, match="newest one already"):
        rollback(book.place, 4)
    with pytest.raises(NotFound):
        rollback(book.place, 12)
    with lease(book.place.folder, wait_seconds=0), pytest.raises(Busy):
        rollback(book.place, 1, wait_seconds=0)
    pinned = book.place.snapshots.get(1).tables["chunks"]
    only = {file.path for file in pinned.files} - {
        file.path for file in book.place.snapshots.get(4).tables["chunks"].files
    }
    (book.place.folder / pinned.path / sorted(only)[0]).unlink()
    with pytest.raises(Damaged):
        rollback(book.place, 1)
    assert book.status().verdict.snapshot == 4


def test_keep_and_forget(book):
    keep(book.place, 2)
    keep(book.place, 2)
    assert kept(book.place) == {2}
    with pytest.raises(RagbookError, match="keep 2 --off"):
        forget(book.place, 2)
    with pytest.raises(RagbookError, match="newest one"):
        forget(book.place, 4)
    for wrong in (0, 77):
        with pytest.raises(NotFound):
            forget(book.place, wrong)
        with pytest.raises(NotFound):
            keep(book.place, wrong)
    reader = open_snapshot(book, 1)
    with pytest.raises(RagbookError, match="is being read"):
        forget(book.place, 1)
    del reader
    forget(book.place, 1)
    unkeep(book.place, 2)
    unkeep(book.place, 2)
    forget(book.place, 2)
    assert [one.snapshot for one in book.history()] == [4, 3]
    with pytest.raises(NotFound):
        rollback(book.place, 1)


def test_a_damaged_snapshot_can_be_forgotten_and_the_one_that_answers_cannot(book):
    path = book.place.objects.root / book.place.snapshots.name(4)
    path.write_bytes(b"{")
    with pytest.raises(RagbookError, match="newest one"):
        forget(book.place, 3)
    with pytest.raises(RagbookError, match="Build again first"):  # or another snapshot would get its number
        forget(book.place, 4)
    assert book.build().verdict.snapshot == 5
    forget(book.place, 4)
    assert [one.snapshot for one in book.history()] == [5, 3, 2, 1]

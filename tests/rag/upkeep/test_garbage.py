from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest

from rag.errors import Busy, Cancelled, NotFound
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from rag.storage.lease import lease
from rag.upkeep.garbage import collect, find
from rag.upkeep.history import forget
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, notebook, opened, settings, text_of


@pytest.fixture
def book(tmp_path):
    """Three snapshots: a file, changed, and taken out again."""
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(3, 2))])
    made.add([file("a.txt", text_of(3, 3))])
    made.remove(["b.txt"])
    return made


def snapshot_files(book):
    return {
        book.place.folder / table.path / one.path
        for manifest in book.history()
        for table in manifest.tables.values()
        for one in table.files
    }


def test_while_history_is_whole_nothing_it_needs_is_garbage(book):
    before = {one.snapshot: hits(open_snapshot(book, one.snapshot).search("river stone")) for one in book.history()}
    removed = collect(book.place, grace_seconds=-1)
    assert not removed.blocked
    assert snapshot_files(book) <= {path for path in book.place.folder.rglob("*") if path.is_file()}
    for number, found in before.items():
        assert hits(open_snapshot(book, number, deep=True).search("river stone")) == found
    assert find(book.place, grace_seconds=-1).files == ()


def test_what_only_a_forgotten_snapshot_needed_is_shown_first_and_then_goes(book):
    collect(book.place, grace_seconds=-1)
    originals = book.place.objects.root / "originals"
    assert len(list(originals.glob("*/*"))) == 3
    forget(book.place, 1)
    forget(book.place, 2)
    found = find(book.place, grace_seconds=-1)
    assert found.size == sum((book.place.objects.root / name).stat().st_size for name, _ in found.files)
    assert len([name for name, _ in found.files if name.startswith("originals/")]) == 2
    assert any("chunks.lance" in name for name, _ in found.files)
    assert all("vectors.lance" not in name for name, _ in found.files)
    assert collect(book.place, grace_seconds=-1) == found
    assert not [name for name, _ in found.files if (book.place.objects.root / name).exists()]
    assert len(list(originals.glob("*/*"))) == len(list(originals.iterdir())) == 1  # empty folders go too
    assert opened(book).search("river").passages
    assert book.status().verdict.name is VerdictName.HIT
    assert notebook(book.place.objects.root.parent).add([file("a.txt", text_of(3, 3))]).chunks.embedded == 0


def test_young_files_stay(book):
    forget(book.place, 1)
    assert find(book.place).files == ()
    before = find(book.place, grace_seconds=-1).files
    assert before
    path = book.place.objects.root / before[0][0]
    hours_ago = time.time() - 7200
    os.utime(path, (hours_ago, hours_ago))
    assert [name for name, _ in collect(book.place).files] == [before[0][0]]
    elsewhere = find(book.place, grace_seconds=-1, grace_elsewhere=3600).files
    assert elsewhere
    assert all(name.startswith("notebooks/main/") for name, _ in elsewhere)


@pytest.mark.parametrize("kind", ["manifests", "state"])
@pytest.mark.parametrize("slug", ["main", "other"])
def test_a_damaged_manifest_or_state_might_need_anything(book, tmp_path, kind, slug):
    notebook(tmp_path, CountingEmbedding(), slug="other").add([file("o.txt", text_of(1, 7))])
    forget(book.place, 1)
    assert find(book.place, grace_seconds=-1).files
    newest = sorted((tmp_path / "default" / "notebooks" / slug / kind).glob("*.json"))[-1]
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-9])
    found = collect(book.place, grace_seconds=-1)
    assert found.files == ()
    assert "doctor" in found.blocked
    newest.write_bytes(whole)
    assert collect(book.place, grace_seconds=-1).files


def test_originals_that_other_notebooks_need_or_only_want_stay(book, tmp_path):
    other = notebook(tmp_path, CountingEmbedding(), slug="other")
    other.add([file("mine.txt", text_of(3, 2))])
    calls = iter([False])
    with pytest.raises(Cancelled):
        other.add([file("waiting.txt", text_of(3, 1))], cancelled=lambda: next(calls, True))
    forget(book.place, 1)
    forget(book.place, 2)
    assert not [name for name, _ in collect(book.place, grace_seconds=-1).files if name.startswith("originals/")]
    assert other.build().sources.total == 2


def test_what_a_reader_holds_stays_though_its_manifest_is_gone(book):
    """A reader that opened the snapshot before somebody without our rules removed its manifest."""
    script = """
        import sys
        from pathlib import Path
        from rag.storage.marks import mark
        class Owner: pass
        owner = Owner()
        mark(Path(sys.argv[1]), 1, owner)
        print("held", flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(book.place.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "held\n"
        book.place.objects.delete(book.place.snapshots.name(1))
        found = find(book.place, grace_seconds=-1)
        assert found.kept_for_readers == {1}
        kept = collect(book.place, grace_seconds=-1)
        assert kept.files == ()
        assert "Snapshot 1 is still being read" in kept.blocked
        reader.communicate("")
    assert collect(book.place, grace_seconds=-1).files


def test_the_rest_of_a_build_that_never_finished(book, tmp_path):
    wide = notebook(settings(tmp_path, embed_model="other"), CountingEmbedding(fail_at=9))
    with pytest.raises(RuntimeError):
        wide.build()
    rest = book.place.folder / "index" / "0123456789abcdef" / "chunks.lance" / "data"
    rest.mkdir(parents=True)
    (rest / "x.lance").write_bytes(b"x")
    (tmp_path / "default" / ".tmp-12").write_bytes(b"x")
    (book.place.folder / "lease").mkdir(exist_ok=True)
    (book.place.folder / "lease" / ".build-1.json").write_bytes(b"x")
    names = {name for name, _ in collect(book.place, grace_seconds=-1).files}
    assert {".tmp-12", "notebooks/main/lease/.build-1.json"} <= names
    assert not rest.parent.parent.exists()
    assert opened(book).search("river").passages


def test_a_builder_goes_first(book):
    with lease(book.place.folder, wait_seconds=0), pytest.raises(Busy):
        collect(book.place, wait_seconds=0)


def test_a_notebook_that_is_not_there_is_not_made(tmp_path):
    assert find(notebook(tmp_path / "none").place).files == ()
    with pytest.raises(NotFound, match=r"There is no notebook 'main' in this workspace. There is none yet: add files"):
        collect(notebook(tmp_path / "none").place)
    assert not (tmp_path / "none").exists()

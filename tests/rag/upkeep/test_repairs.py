"""Repairing: from what is left, with the model that made it, and nothing is overwritten."""

from __future__ import annotations

import os

import lancedb
import pytest

from rag.checked import dump_checked
from rag.errors import Damaged, RagbookError, SpaceRefused
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from rag.storage.lease import lease
from rag.upkeep.doctor import examine
from rag.upkeep.repair_costs import repair_plan
from rag.upkeep.repairs import repair
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, notebook, opened, text_of

QUESTION = "lantern and harbour"


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(4, 1)), file("b.txt", text_of(3, 2))])
    return made


def codes(book, **how):
    return [one.code for one in examine(book.place, book.config, **how).findings]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_changed_model_does_not_become_the_canary_of_a_lost_space(book):
    next(book.place.objects.root.glob("spaces/*/space.json")).unlink()
    other = notebook(book.place.objects.root.parent, CountingEmbedding(seed=1))
    with pytest.raises(Damaged, match="doctor --repair"):
        other.add([file("c.txt", text_of(2, 5))])
    with pytest.raises(SpaceRefused, match="another one"):
        repair(other.place, other.config, other.models.embedder)
    assert "by words only" in opened(other).search(QUESTION).notes[0]
    repair(book.place, book.config, book.models.embedder)
    assert opened(book).search(QUESTION).notes == ()


def test_a_damaged_original_is_moved_aside_and_adding_it_again_heals(book):
    path = book.place.originals.path(book.sources()[0].digest)
    flip(path)
    assert codes(book) == []
    assert codes(book, deep=True) == ["original-damaged"]
    done = repair(book.place, book.config, book.models.embedder)
    assert [one.code for one in done.left] == ["original-missing"]
    assert path.with_name(path.name + ".damaged").is_file()
    assert book.add([file("a.txt", text_of(4, 1))]).verdict.name is VerdictName.UNCHANGED
    assert codes(book, deep=True) == []


def test_leftovers_are_listed_and_go_with_a_repair_once_they_are_old(book):
    root = book.place.objects.root
    stray = [root / "originals" / ".tmp-1", book.place.folder / "index" / "0" / "chunks.lance" / "data" / "x.lance"]
    for path in stray:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"rest")
    assert codes(book) == []
    for path in stray:
        os.utime(path, (1, 1))
    found = examine(book.place, book.config)
    assert [one.code for one in found.findings] == ["leftovers"]
    assert len(found.findings[0].files) == 2
    assert found.healthy
    repair(book.place, book.config, book.models.embedder)
    assert not any(path.exists() for path in stray)
    assert opened(book).search(QUESTION).passages


def test_a_running_build_is_told_and_waited_for(book):
    with lease(book.place.folder, wait_seconds=0):
        assert "build-running" in codes(book)
        with pytest.raises(RagbookError, match="is building"):
            repair(book.place, book.config, book.models.embedder)


def test_a_newer_format_stops_the_repair(book):
    newer = book.place.objects.root / book.place.snapshots.name(9)
    newer.write_bytes(dump_checked({"format": 99}))
    assert "newer-format" in codes(book)
    with pytest.raises(RagbookError, match="newer Ragbook"):
        repair(book.place, book.config, book.models.embedder)


@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_torn_version_that_no_snapshot_needs_locks_the_table_and_is_moved_out_of_the_way(book, damage):
    """As a power cut leaves a build that had not published: the table is ahead of its snapshot, and not whole."""
    head = book.place.snapshots.head()
    before = hits(open_snapshot(book).search(QUESTION))
    table = book.place.folder / head.tables["chunks"].path
    lancedb.connect(str(table.parent)).open_table("chunks").update(where="ordinal = 0", values={"heading": "x"})
    newest = min((table / "_versions").glob("*.manifest"))  # they count down
    assert newest.name not in [file.path.rsplit("/", 1)[1] for file in head.tables["chunks"].files]
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    for deep in (False, True):
        (finding,) = examine(book.place, book.config, deep=deep).findings
        assert (finding.code, finding.severity, finding.lost) == ("table-unreadable", "damage", "")
        assert finding.snapshot == head.snapshot
        assert finding.files == (f"notebooks/main/{head.tables['chunks'].path}",)
    quiet = notebook(book.place.objects.root.parent)  # whose model must not be asked
    planned = repair_plan(quiet.place, quiet.config, examine(quiet.place, quiet.config, deep=True))
    assert (planned.texts, planned.cost_usd) == (0, 0.0)
    repaired = repair(quiet.place, quiet.config, quiet.models.embedder)
    assert any("that no snapshot needs was moved aside" in line for line in repaired.done)
    assert repaired.left == ()
    assert newest.with_name(f"{newest.name}.torn").exists()
    assert codes(book, deep=True) == []
    assert hits(open_snapshot(book).search(QUESTION)) == before

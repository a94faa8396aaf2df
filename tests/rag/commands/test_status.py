"""status, sources, history and spaces: what is there, counted; and nothing is called or changed by looking."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from rag.commands.printing import as_json
from rag.commands.status import history_report, sources_report, spaces_report, status_report
from rag.notebook import Notebook
from tests.doubles import CountingEmbedding
from tests.notebooks import file, lying, notebook, settings, text_of

NONE = argparse.Namespace(delete=None, yes=False)
REPORTS = (status_report, sources_report, history_report, spaces_report)


@pytest.fixture
def book(tmp_path: Path) -> Notebook:
    made = notebook(tmp_path / "home", CountingEmbedding())
    made.add(
        [file("a.txt", text_of(3, 1)), lying(tmp_path / "old.txt", text_of(2, 2)), file("bad.pdf", b"%PDF-1.4 no")]
    )
    return made


def counted(book: Notebook) -> dict[str, int]:
    sources: dict[str, int] = status_report(book, NONE)["sources"]
    return {name: number for name, number in sources.items() if number}


@pytest.mark.parametrize("report", REPORTS)
def test_looking_calls_nobody_and_changes_nothing(book: Notebook, report) -> None:
    silent = notebook(book.config)
    before = {path: path.read_bytes() for path in book.place.objects.root.rglob("*") if path.is_file()}
    assert json.loads(as_json(report(silent, NONE)))["verdict"] == "HIT"
    assert {path: path.read_bytes() for path in book.place.objects.root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (sources_report, "No sources yet."),
        (history_report, "No snapshots yet."),
        (spaces_report, "No embedding spaces yet."),
    ],
)
def test_where_there_is_nothing_that_is_said(tmp_path: Path, report, line: str) -> None:
    found = report(notebook(tmp_path), NONE)
    assert (found["verdict"], found["_lines"]) == ("EMPTY", [line])


def test_what_is_built_is_unchanged_and_what_failed_is_counted(book: Notebook) -> None:
    assert counted(book) == {"total": 2, "unchanged": 2, "failed": 1}
    report = status_report(book, NONE)
    assert report["chunks"] == {"total": 5, "embedded": 0, "reused": 5}
    assert [one["name"] for one in report["failures"]] == ["bad.pdf"]
    assert report["_lines"][0].startswith("HIT: ")


def test_before_the_first_build_all_is_to_be_added(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding(fail_at=1))
    with pytest.raises(RuntimeError):
        book.add([file("a.txt", text_of(1)), file("b.txt", text_of(1, 1))])
    assert counted(book) == {"added": 2}


def test_what_an_update_would_do_is_counted_by_kind(book: Notebook, tmp_path: Path) -> None:
    model = CountingEmbedding(fail_at=1)
    waiting = notebook(book.config, model)
    (tmp_path / "old.txt").rename(tmp_path / "new.txt")
    with pytest.raises(RuntimeError):
        waiting.add(
            [file("a.txt", text_of(4, 7)), file("c.txt", text_of(1, 9)), lying(tmp_path / "new.txt", text_of(2, 2))]
        )
    found = counted(waiting)
    assert (found["added"], found["changed"], found["total"]) == (1, 1, 2)
    assert found.get("renamed", 0) + found.get("unchanged", 0) == 1


def test_other_settings_are_no_change_of_the_sources(book: Notebook) -> None:
    other = notebook(settings(Path(book.config.home), chunk_size=96))
    report = status_report(other, NONE)
    assert report["verdict"] == "OTHER_RECIPE"
    assert counted(other) == {"total": 2, "unchanged": 2, "failed": 1}
    assert any("96" in line for line in report["_lines"])


def test_a_damaged_snapshot_stays_in_the_history(book: Notebook) -> None:
    book.add([file("c.txt", text_of(1, 3))])
    (book.place.objects.root / book.place.snapshots.name(1)).write_bytes(b"{")
    report = history_report(book, NONE)
    assert [one["snapshot"] for one in report["history"]] == [2]
    (damaged,) = report["damaged"]
    assert "00000001.json" in damaged
    assert report["_lines"][1] == f"   {damaged}"


def test_status_hashes_what_only_a_hash_can_tell(book: Notebook) -> None:
    path = next(book.place.folder.glob("index/*/chunks.lance/data/*"))
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert book.status().verdict.name == "HIT"
    assert status_report(book, NONE)["verdict"] == "DAMAGED"

"""What commands print: complete as JSON, readable in lines, and nothing like an answer where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rag.asking.explaining import explain
from rag.citing.answer import Citation, Found, Passage
from rag.commands.printing import as_json
from rag.commands.reports import (
    citation_report,
    cited_lines,
    explanation_report,
    found_report,
    history_line,
    manifest_report,
    nothing_to_open,
    outcome_report,
    receipt_report,
)
from rag.manifest import Receipt, VerdictName
from rag.notebook import Notebook
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, notebook, opened, text_of

PASSAGE = Passage(1, "c", "s", "a.pdf", "Two  lines\nof text. " * 40, 0.98765, page=3)


@pytest.fixture
def book(tmp_path: Path) -> Notebook:
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    return made


def found(*passages: Passage, notes: tuple[str, ...] = ()) -> Found:
    return Found(passages, 4, VerdictName.HIT, Receipt(calls=1), notes)


def test_an_outcome_names_what_was_not_added(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    report = outcome_report(book.add([file("a.txt", text_of(2)), file("empty.txt", "")]))
    assert json.loads(as_json(report))["verdict"] == "BUILT"
    assert (report["snapshot"], report["chunks"]["total"], report["sources"]["failed"]) == (1, 2, 1)
    ((failed,), lines) = (report["failures"], report["_lines"])
    assert failed["name"] == "empty.txt"
    assert lines[0].startswith("BUILT: ")
    assert lines[-1] == f"  not added: empty.txt: {failed['reason']}"


def test_a_hit_is_one_short_line_for_a_person_and_all_of_it_in_json(book: Notebook) -> None:
    report = found_report(found(PASSAGE, notes=("A note.",)), book.status())
    (hit,) = report["hits"]
    assert (hit["rank"], hit["page"], hit["text"], hit["dense"]) == (1, 3, PASSAGE.text, None)
    line, note = report["_lines"]
    first, second = line.split("\n")
    assert first == "1. a.pdf, page 3 (0.9877)"
    assert second.strip().startswith("Two lines of text. Two lines")
    assert len(second) <= 303
    assert note == "A note."
    assert (report["verdict"], report["snapshot"]) == ("HIT", 4)


def test_finding_nothing_is_said(book: Notebook) -> None:
    assert found_report(found(notes=("Why.",)), book.status())["_lines"] == ["Nothing found.", "Why."]


def test_an_explanation_has_the_same_hits_and_a_table(book: Notebook) -> None:
    explained = explain(opened(book), "lantern and harbour", 2)
    report = explanation_report(explained, book.status())
    assert len(report["hits"]) == 2
    again = json.loads(as_json({name: value for name, value in report.items() if name != "_lines"}))["explanation"]
    assert len(again["candidates"]) == len(explained.candidates)
    assert again["sentences"]
    table = [line for line in report["_lines"] if "by meaning" in line or line.lstrip().startswith(("1.", "2."))]
    assert len(table) >= 3
    assert report["_lines"][-1].startswith("Seconds: ") or explained.notes


def test_a_notebook_without_an_index_says_what_to_do_and_one_with_an_index_is_opened(
    book: Notebook, tmp_path: Path
) -> None:
    assert nothing_to_open(book.status()) is None
    empty = notebook(tmp_path, slug="empty").status()
    report = nothing_to_open(empty)
    assert report is not None
    assert (report["verdict"], report["snapshot"]) == (VerdictName.EMPTY, None)
    assert report["_lines"] == [f"{empty.verdict.sentence} {empty.verdict.next_step}"]


@pytest.mark.parametrize("name", [VerdictName.DAMAGED, VerdictName.NEWER_FORMAT, VerdictName.UNAVAILABLE])
def test_what_is_wrong_is_left_to_opening_which_says_it(book: Notebook, name: VerdictName) -> None:
    status = book.status()
    assert nothing_to_open(replace(status, head=None, verdict=replace(status.verdict, name=name))) is None


def test_citations_are_lines_with_their_pages(book: Notebook) -> None:
    answer = answered(book, "What does Entry 1-0 tell of?")
    one = replace(
        answer, citations=(Citation(2, "a.pdf", "x", "elsewhere", page=7), Citation(1, "b", "y", "not found"))
    )
    assert cited_lines(one) == ["[2] a.pdf, page 7 (elsewhere)", "[1] b (not found)"]
    assert citation_report(one.citations[1])["start"] is None


def test_a_snapshot_is_one_line_with_its_counts(book: Notebook) -> None:
    (manifest,) = book.history()
    assert history_line(manifest) == f"1  {manifest.created}  BUILT  2 sources, 5 chunks, 5 texts embedded"
    report = json.loads(as_json(manifest_report(manifest)))
    assert (report["snapshot"], report["counts"]["chunks"], report["size_bytes"]) == (1, 5, manifest.size)


def test_a_receipt_tells_how_long_looking_took() -> None:
    assert receipt_report(Receipt(calls=2, seconds=9.0), 0.123456)["seconds"] == 0.1235

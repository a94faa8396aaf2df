"""What is typed to restrict a search, and that what is damaged is passed over before anything is answered."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from rag.commands.asking import add_filters, ask_report, opened_of, search_report
from rag.errors import ServerDown
from rag.notebook import Notebook
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import file, notebook, text_of

BREAD = "Bread dough rises because yeast makes carbon dioxide."
WATER = "Water boils at one hundred degrees at sea level."


def options(*arguments: str, **more: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_filters(parser)
    given = {"text": "Why does bread rise?", "k": 8, "explain": False} | more
    return argparse.Namespace(**(vars(parser.parse_args(arguments)) | given))


@pytest.fixture
def book(tmp_path: Path) -> Notebook:
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("bread.txt", BREAD), file("water.md", WATER)])
    return notebook(tmp_path, CountingEmbedding(), llm=ScriptedLLM(f"{BREAD} [1]"))


@pytest.mark.parametrize(
    ("typed", "pages"), [("7", (7, 7)), ("3-10", (3, 10)), ("3-3", (3, 3)), ("0-1", (0, 1)), ("7-", (7, 7))]
)
def test_pages_are_one_or_a_range(typed: str, pages: tuple[int, int]) -> None:
    assert options("--pages", typed).pages == pages


@pytest.mark.parametrize("typed", ["", "-", "x", "10-3", "-3", "1-2-3", "²", "123456789", "1.5"])
def test_what_is_no_page_is_said_to_be_none(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(f"--pages={typed}")
    assert "is no page like 7 and no range like 3-10" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "since"),
    [
        ("2026-01-31", "2026-01-31T00:00:00"),
        ("2026-01-31T12:30", "2026-01-31T12:30:00"),
        ("2026-01-31T12:30+02:00", "2026-01-31T10:30:00"),
        ("2026-01-01T00:30+02:00", "2025-12-31T22:30:00"),
    ],
)
def test_a_date_is_that_of_utc(typed: str, since: str) -> None:
    assert options("--since", typed).since == since


def test_what_is_no_date_is_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--since", "yesterday")
    assert "is no date like 2026-01-31" in capsys.readouterr().err


def test_a_search_is_of_what_was_typed_alone(book: Notebook) -> None:
    assert {hit["source"] for hit in search_report(book, options())["hits"]} == {"bread.txt", "water.md"}
    only = search_report(book, options("--source", "*.md"))
    assert {hit["source"] for hit in only["hits"]} == {"water.md"}
    assert search_report(book, options("--since", "2999-01-01"))["hits"] == []


def test_explaining_finds_the_same(book: Notebook) -> None:
    found, explained = (search_report(book, options(explain=explain)) for explain in (False, True))
    assert [hit["source"] for hit in explained["hits"]] == [hit["source"] for hit in found["hits"]]
    assert explained["explanation"]["sentences"]


def test_an_answer_has_its_citations_in_the_report_and_in_the_lines(book: Notebook) -> None:
    report = ask_report(book, options())
    assert (report["kind"], report["verdict"]) == ("generated", "HIT")
    assert [(one["n"], one["source"], one["state"]) for one in report["citations"]] == [(1, "bread.txt", "verified")]
    assert "[1] bread.txt (verified)" in report["_lines"]
    assert report["searched"] == "Why does bread rise?"


def test_an_answer_that_failed_is_the_verdict(tmp_path: Path, book: Notebook) -> None:
    broken = notebook(tmp_path, CountingEmbedding(), llm=ScriptedLLM("", error=ServerDown("It broke. Try again.")))
    report = ask_report(broken, options())
    assert (report["verdict"], report["kind"]) == ("FAILED", "failed")
    assert report["sentence"] == report["answer"]
    assert report["hits"], "the passages are there all the same"


def test_with_nothing_built_it_says_what_to_do(tmp_path: Path) -> None:
    empty = notebook(tmp_path)
    searched, asked = search_report(empty, options()), ask_report(empty, options())
    assert (searched["verdict"], searched["hits"]) == ("EMPTY", [])
    assert (asked["verdict"], asked["citations"]) == ("EMPTY", [])
    assert asked["answer"] == empty.status().verdict.sentence


def test_a_snapshot_that_turns_out_damaged_is_passed_over(tmp_path: Path) -> None:
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(6, 1))])
    before = set(made.place.folder.glob("index/*/chunks.lance/data/*"))
    made.add([file("b.txt", text_of(6, 2))])
    (newer,) = set(made.place.folder.glob("index/*/chunks.lance/data/*")) - before
    content = newer.read_bytes()
    newer.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    opened = opened_of(notebook(tmp_path, CountingEmbedding()))
    assert opened.snapshot == 1
    assert any(newer.name in problem for problem in opened.problems)

"""What is found and answered, as values: complete wherever it is kept or shown."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from rag.citing.answer import Answer, Citation, Passage, State
from rag.commands.reports import citation_report
from rag.home.cells import Cells
from rag.manifest import Receipt, VerdictName
from rag.sources.restriction import Restriction
from rag.storage.objects import LocalObjects
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, notebook, opened

FULL: dict[str, Any] = {
    "page": 3,
    "page_end": 4,
    "start": 10,
    "end": 14,
    "heading": "A › B",
    "dense": 0.5,
    "lexical": 1.5,
    "also_in": ("b.txt",),
    "joined": ("c2",),
}
PASSAGE = Passage(1, "c1", "s1", "a.txt", "text", 0.75, **FULL)
ANSWER = Answer(
    question="Why?",
    text="Because [1].",
    kind="generated",
    citations=(Citation(1, "a.txt", "text", "verified", 3, 10, 14, "c1"), Citation(1, "a.txt", "no", "not found")),
    passages=(PASSAGE, replace(PASSAGE, n=2, dense=None, lexical=None, page=None)),
    snapshot=7,
    verdict=VerdictName.HIT,
    recipe_fp="r" * 64,
    space="model (provider)",
    model="llm",
    receipt=Receipt(calls=1, tokens=9, cost_usd=None, stages={"search": 0.5}),
    notes=("A note.",),
    asked="2026-01-01T00:00:00Z",
    first_token_seconds=0.25,
    only=Restriction(("a.txt",), tags=("tax",)),
    searched="Why, in 2024?",
)


def test_every_field_comes_back_from_the_disk(tmp_path: Path) -> None:
    """A field that is forgotten while writing or reading would be its default."""
    for field in fields(Answer):
        assert getattr(ANSWER, field.name) != field.default, f"{field.name} would not be noticed"
    cells = Cells(LocalObjects(tmp_path), "n")
    kept = cells.keep(ANSWER)
    (read,) = Cells(LocalObjects(tmp_path), "n").all()
    assert read.answer == ANSWER
    assert read.id == kept.id


@pytest.mark.parametrize("value", [PASSAGE, ANSWER, ANSWER.citations[0]])
def test_they_are_values(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        value.source = value.text = "another"
    assert replace(value) == value


def test_a_place_that_was_not_found_has_no_range(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("owls.txt", "Owls hunt at night. They eat 12 mice a week.")])
    answer = answered(book, "When do owls hunt?")
    assert answer.citations
    for one in answer.citations:
        assert (one.start is None) == (one.end is None) == (one.state == "not found")
        assert one.state in get_args(State)
    original = "Owls hunt at night. They eat 12 mice a week."
    assert all(original[one.start : one.end] == one.quote for one in answer.citations if one.state == "verified")


def test_ranks_count_from_one_in_order_of_score(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file(f"{name}.txt", f"{name} hunt at night.") for name in ("owls", "bats", "cats")])
    found = opened(book).search("When do owls hunt at night?")
    assert [one.n for one in found.passages] == [1, 2, 3]
    assert [one.score for one in found.passages] == sorted((one.score for one in found.passages), reverse=True)
    assert all(0 <= one.score <= 1 for one in found.passages)


def test_the_command_line_says_all_of_a_citation_but_the_chunk() -> None:
    report = citation_report(ANSWER.citations[0])
    assert set(report) == {field.name for field in fields(Citation)} - {"chunk_id"}


def test_every_kind_of_answer_has_its_look() -> None:
    """The screens know each kind and state by name; a new one needs a look of its own."""
    screens = "".join(path.read_text("utf-8") for path in (Path(__file__).parents[3] / "ui").rglob("*.py"))
    kinds = get_args(get_type_hints(Answer)["kind"])
    assert len(kinds) == 5
    assert [name for name in (*kinds, *get_args(State)) if f'"{name}"' not in screens] == []

"""What a purge would take along, before it does."""

from __future__ import annotations

import pytest

from rag.errors import NotFound
from rag.upkeep.purge_plan import PurgePlan, note_name, others_of, plan_purge, unfinished
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, text_of


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add([file("a.txt", text_of(3, 1)), file("b.txt", text_of(2, 2))])
    made.add([file("c.txt", text_of(1, 3))])
    notebook(tmp_path, CountingEmbedding(), slug="other").add([file("same.txt", text_of(3, 1))])
    return made


def everything_below(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_planning_counts_and_changes_nothing(book):
    before = everything_below(book.place.objects.root)
    planned = plan_purge(book.place, ["a.txt"])
    assert (planned.names, planned.chunks, planned.forgotten) == (("a.txt",), 3, (2, 1))
    assert (planned.shared, planned.vectors, planned.unknown) == (("other",), 0, 0)
    assert plan_purge(book.place, ["b.txt"]).vectors == 2
    assert [one.slug for one in others_of(book.place)] == ["other"]
    assert everything_below(book.place.objects.root) == before


def test_only_a_name_that_is_known_or_was_asked_for_before_can_be_purged(book):
    with pytest.raises(NotFound, match=r"no source 'd\.txt'"):
        plan_purge(book.place, ["a.txt", "d.txt"])
    assert unfinished(book.place) == set()
    assert note_name(book.place) == "notebooks/main/lease/purge.json"


def test_the_sentence_says_what_else_goes_and_what_stays():
    plain = PurgePlan(("a",), 1, (), (), ())
    assert plain.sentence == "This removes 1 source with 1 chunk from every file of the home, for good."
    full = PurgePlan(("a", "b"), 2, (1,), ("x",), ("other",), ("third",), 4, 5)
    for words in ("1 older snapshot held", "1 answer that quote", "also in other", "Other files in third", "5 cached"):
        assert words in full.sentence

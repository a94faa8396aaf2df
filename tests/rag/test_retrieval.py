"""Searching: fusion, one passage per text, odd questions, relevance."""

from __future__ import annotations

import pytest

from rag.retrieval import FUSION
from tests.doubles import CountingEmbedding
from tests.notebooks import file, hits, notebook, opened, paragraphs, settings, text_of


@pytest.fixture
def book(tmp_path):
    made = notebook(tmp_path, CountingEmbedding())
    made.add(
        [file("a.txt", text_of(10, 1)), file("b.md", "# Birds\n\n## Owls\n\nOwls hunt at night.\n\n" + text_of(2, 2))]
    )
    return made


def test_passages_say_where_they_are(book):
    found = opened(book).search("When do owls hunt?")
    best = found.passages[0]
    assert (best.n, best.source) == (1, "b.md")
    assert "Owls hunt at night." in best.text
    assert best.heading.startswith("Birds")
    assert [one.n for one in found.passages] == list(range(1, len(found.passages) + 1))
    scores = [one.score for one in found.passages]
    assert scores == sorted(scores, reverse=True)
    assert best.score == pytest.approx(2 / (FUSION + 1), abs=1e-6)  # first by meaning and by words
    assert best.dense > 0
    assert best.lexical > 0
    assert found.snapshot == 1


def test_k_cuts_a_longer_list(book):
    snapshot = opened(book)
    eight = hits(snapshot.search("river stone harbour", 8))
    assert len(eight) == 8
    for k in (1, 3, 5):
        assert hits(snapshot.search("river stone harbour", k)) == eight[:k]
    assert len(snapshot.search("river stone harbour", 200).passages) == snapshot.table.count


@pytest.mark.parametrize("question", ["", "   ", "?!…", "\n\t", "—", "\U0001f600"])
def test_without_words_nothing_is_asked_of_anybody(tmp_path, book, question):
    model = CountingEmbedding()
    found = opened(notebook(tmp_path, model)).search(question)
    assert found.passages == ()
    assert found.notes == ("There are no words to search for.",)
    assert model.calls == found.receipt.calls == 0


@pytest.mark.parametrize(
    "question",
    [
        '"owls" AND (night OR -day)',
        "owls* ~night^2 title:owls",
        "owls\x00night",
        "o'wls \\ night; DROP TABLE",
        "\ud83d owls",
    ],
)
def test_any_text_is_a_question(book, question):
    assert opened(book).search(question).passages


def test_a_very_long_question_is_cut_and_says_so(tmp_path, book):
    model = CountingEmbedding()
    found = opened(notebook(tmp_path, model)).search("owls hunt " * 1000)
    assert "first 2,000 characters" in found.notes[0]
    assert found.passages
    assert max(len(text) for text in model.seen) <= 2000


def test_white_space_makes_no_other_question(tmp_path, book):
    model = CountingEmbedding()
    snapshot = opened(notebook(tmp_path, model))
    assert hits(snapshot.search("owls  hunt\n")) == hits(snapshot.search(" owls hunt"))
    assert model.queries == 1


def test_a_text_in_many_sources_is_one_passage_that_names_them_all(tmp_path):
    book = notebook(settings(tmp_path / "many"), CountingEmbedding())
    same = paragraphs(1, 1)[0]
    book.add([file(f"{number:02}.txt", f"{same}\n\n{paragraphs(1, 100 + number)[0]}") for number in range(14)])
    for k in (1, 4, 10):
        found = opened(book).search(same, k)
        assert len(found.passages) == k
        best = found.passages[0]
        assert best.text == same
        assert sorted((best.source, *best.also_in)) == [f"{number:02}.txt" for number in range(14)]

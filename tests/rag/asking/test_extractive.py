"""Answers of quoted sentences: word for word, each with its place."""

from __future__ import annotations

import pytest

from rag.asking.extractive import extract
from rag.citing.answer import Passage
from tests.doubles import CountingEmbedding, embedder_of


def passage(n, text, start=100, **fields):
    return Passage(n, f"chunk{n}", f"source{n}", f"{n}.txt", text, 1 / n, start=start, end=start + len(text), **fields)


TIDES = passage(1, "Tides are caused by the moon.  The sun adds to them. Boats wait\nfor high water.", page=3)
BREAD = passage(2, "Bread rises because of yeast. The moon has nothing to do with bread.", start=0)


def test_the_best_sentence_comes_first_and_is_quoted_exactly():
    text, citations, *_ = extract("What causes tides?", [TIDES, BREAD], None)
    assert text.startswith("Tides are caused by the moon. [1]")
    first = citations[0]
    assert (first.quote, first.start, first.end) == ("Tides are caused by the moon.", 100, 129)
    assert (first.n, first.source, first.page, first.state, first.chunk_id) == (1, "1.txt", 3, "verified", "chunk1")


@pytest.mark.parametrize("embedder", [None, embedder_of(CountingEmbedding(), symmetric=True)])
@pytest.mark.parametrize("question", ["What causes tides?", "bread and yeast", "boats", "", "zebra", "the"])
def test_every_quote_is_in_its_place(question, embedder):
    passages = [TIDES, BREAD]
    text, citations, *_ = extract(question, passages, embedder, most=3)
    assert 1 <= len(citations) <= 3
    for one in citations:
        found = passages[one.n - 1]
        assert found.text[one.start - found.start : one.end - found.start] == one.quote
        assert f"{' '.join(one.quote.split())} [{one.n}]" in text
    assert len({(one.n, one.start) for one in citations}) == len(citations)


def test_white_space_is_joined_in_the_text_and_kept_in_the_quote():
    text, citations, *_ = extract("When do boats wait for high water?", [TIDES], None, most=1)
    assert text == "Boats wait for high water. [1]"
    assert citations[0].quote == "Boats wait\nfor high water."


def test_what_is_quoted_already_is_not_quoted_again():
    same = [passage(n, "Tides are caused by the moon.") for n in (1, 2, 3)]
    text, citations, *_ = extract("What causes tides?", same, None)
    assert text == "Tides are caused by the moon. [1]"
    assert len(citations) == 1


def test_initials_and_titles_do_not_end_a_sentence():
    page = passage(1, "It was headed by Nicholas E. Golovin of St. Louis. Others came later.")
    text, citations, *_ = extract("Who headed it?", [page], None)
    assert text == "It was headed by Nicholas E. Golovin of St. Louis. [1] Others came later. [1]"
    assert (citations[0].start, citations[0].end) == (100, 150)


def test_three_sentences_are_quoted_where_there_are_three_and_more_only_when_they_are_as_good():
    first = passage(1, "Tides are caused by the moon. Crabs walk sideways. Gulls cry. Nets dry in the wind.")
    _, citations, *_ = extract("What causes tides?", [first], None)
    assert len(citations) == 3
    alike = passage(
        1, " ".join(f"Tides of kind {word} exist." for word in ("one", "two", "three", "four", "five", "six"))
    )
    assert len(extract("Which tides exist?", [alike], None).citations) == 5


def test_the_closest_cosine_is_told():
    model = CountingEmbedding()
    same = extract("Boats wait", [passage(1, "Boats wait. Crabs walk.")], embedder_of(model, symmetric=True)).cosine
    other = extract("Quantum gauge", [passage(1, "Boats wait. Crabs walk.")], embedder_of(model, symmetric=True)).cosine
    assert same > 0.9 > 0.5 > other
    assert extract("Boats wait", [passage(1, "Boats wait.")], None).cosine is None


def test_how_far_the_best_sentence_is_ahead_of_the_next_that_says_something_else():
    alone = extract("What causes tides?", [passage(1, "Tides are caused by the moon. Nets dry in the wind.")], None)
    twice = [passage(n, "Tides are caused by the moon. Nets dry in the wind.") for n in (1, 2)]
    assert extract("What causes tides?", twice, None).ahead == pytest.approx(alone.ahead, abs=0.1)
    near = extract(
        "What causes tides?", [passage(1, "Tides are caused by the moon. What causes tides is known.")], None
    )
    assert near.ahead < 0.2 < alone.ahead


def test_headings_come_after_sentences():
    page = passage(1, "# Tides\n\nTides come twice a day.")
    text, *_ = extract("tides", [page], None, most=1)
    assert text == "Tides come twice a day. [1]"


def test_nothing_to_quote():
    assert extract("tides", [], None) == ("", (), None, 0.0)
    assert extract("tides", [passage(1, "12 34 — 56")], None) == ("", (), None, 0.0)


def test_a_sentence_without_end_is_cut():
    long = passage(1, "tides " * 1000)
    _, (citation,), *_ = extract("tides", [long], None)
    assert len(citation.quote) <= 600
    assert long.text[: len(citation.quote)] == citation.quote


def test_what_stands_at_the_end_of_a_text_without_full_stops_is_quoted_too():
    text = " ".join(["ราคาเพิ่มขึ้นในเดือนพฤษภาคมของทุกปี"] * 40) + " นกฮูกล่าเหยื่อในเวลากลางคืน"
    first = extract("นกฮูกล่าเหยื่อ", [passage(1, text)], None).citations[0]
    assert first.quote.endswith("นกฮูกล่าเหยื่อในเวลากลางคืน")
    assert len(first.quote) <= 600
    assert text[first.start - 100 : first.end - 100] == first.quote


def test_the_model_is_asked_in_batches_and_its_failure_is_not_hidden():
    model = CountingEmbedding()
    extract("What causes tides?", [TIDES, BREAD], embedder_of(model, batch_size=64))
    assert (model.queries, model.texts) == (1, 5)

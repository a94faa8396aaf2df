"""How much of a question the passages hold."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.asking.coverage import Coverage, coverage
from rag.tables.frequencies import Frequencies
from rag.text.analysis import terms

TURBINES = "The wind farm has 14 turbines. Each turbine is inspected in spring."
BEES = "The queen of the bees lays many eggs in spring."


def frequencies(*texts: str, language: str = "en") -> Frequencies:
    words = [terms(text, language) for text in texts]
    having = Counter(term for found in words for term in set(found))
    return Frequencies(having, len(texts), sum(map(len, words)) / len(texts), having.__contains__)


def held(question: str, *texts: str, language: str = "en") -> Coverage:
    found = coverage(question, [(text, language) for text in texts], frequencies(*texts, language=language), {language})
    assert found is not None
    return found


def test_all_words_in_one_passage_and_one_sentence() -> None:
    found = held("How many turbines has the wind farm?", TURBINES, BEES)
    assert found.sentence == pytest.approx(found.words)
    assert found.words > 0.7  # but for "many"
    assert found.lead > 0.3


def test_words_of_two_sentences_are_in_the_passage_and_in_no_sentence() -> None:
    found = held("Is the wind farm inspected?", TURBINES, BEES)
    assert found.words == 1.0
    assert found.sentence < 0.8


def test_two_passages_with_the_same_words_have_no_lead() -> None:
    assert held("wind farm turbines", TURBINES, TURBINES).lead == 0.0
    assert held("wind farm turbines", TURBINES).lead == 0.0


def test_rare_words_weigh_more() -> None:
    texts = [f"The turbine of farm {word}." for word in ("one", "two", "three", "four", "five", "Oldenburg")]
    assert held("turbine in Bremen", *texts[:5]).words < 0.4
    assert held("five in Bremen", *texts[::-1]).words == pytest.approx(0.5)


def test_a_word_weighs_the_same_in_two_chunks_in_one_and_in_none() -> None:
    known = frequencies(TURBINES, TURBINES, *[BEES] * 8)
    assert known.weight(("turbin",)) == known.weight(("unheard",)) > known.weight(("queen",)) > 0


def test_bm25_is_less_in_a_long_passage_and_more_with_repetitions() -> None:
    padding = " and so on for many more words" * 8
    short = held("wind farm", "A wind farm stands here.", BEES + padding).bm25
    assert held("wind farm", "A wind farm stands here." + padding, BEES).bm25 < short
    assert held("wind farm", "A wind farm is a wind farm.", BEES + padding).bm25 > short


@pytest.mark.parametrize(
    ("question", "text", "language", "least"),
    [
        ("turbne", "Each turbine turns.", "en", 0.8),  # a letter is missing
        ("wnidmill", "The windmill turns.", "en", 0.8),  # two are exchanged
        ("Verteidigung", "Die Verteidigungslinie hielt.", "de", 0.7),  # part of a compound
        ("книгами", "Он читал книгочеев.", "ru", 0.5),
        ("turtle", "Each turbine turns.", "en", 0.0),
        ("ab", "abc abd", "en", 0.0),
    ],
)
def test_a_word_much_like_another_counts_in_part(question: str, text: str, language: str, least: float) -> None:
    found = held(question, text, language=language).words
    assert found == least == 0.0 or least <= found < 1.0


@pytest.mark.parametrize(
    ("question", "text", "language", "strange"),
    [
        ("What did Uber earn in 2024?", "Uber earned 8 billion in 2022.", "en", 1),
        ("What did Uber earn in 2022?", "Uber earned 8 billion in 2022.", "en", 0),
        ("Is checkpoint_timeout in Oracle Database 19 or 23?", "The checkpoint_timeout of PostgreSQL.", "en", 2),
        ("What did Ghandi do?", "Gandhi walked to the sea.", "en", 0),  # a typing error
        ("Gandhi walked where?", "He walked.", "en", 0),  # what begins a question has a capital letter anyway
        ("He sat. Where was that?", "He sat here.", "en", 0),
        ("WHERE IS THE SEA?", "He walked.", "en", 0),
        ("第50届NFL超级碗在哪里？", "超级碗在加州。", "zh", 2),
        ("第50届NFL超级碗在哪里？", "第50届NFL超级碗在加州。", "zh", 0),
        ("Что сделал IBM в 1999 году?", "IBM продал завод в 2001 году.", "ru", 1),
    ],
)
def test_names_and_numbers_that_are_nowhere_are_counted(question: str, text: str, language: str, strange: int) -> None:
    assert held(question, text, language=language).strange == strange


def test_what_stands_elsewhere_in_the_notebook_is_not_strange() -> None:
    known = frequencies(TURBINES, "Siemens built it.")
    assert coverage("the Siemens turbines", [(TURBINES, "en")], known, {"en"}).strange == 0  # type: ignore[union-attr]


def test_a_question_without_words_has_no_coverage() -> None:
    assert coverage("?!", [(BEES, "en")], frequencies(BEES), {"en"}) is None


@given(st.text(max_size=40), st.text(max_size=80), st.sampled_from(["en", "de", "zh", "th", "hi", "ar", ""]))
def test_measures_are_shares(question: str, text: str, language: str) -> None:
    known = frequencies(text, BEES, language=language)
    found = coverage(question, [(text, language), (BEES, "en")], known, {language})
    if found is not None:
        assert 0 <= found.lead <= found.words <= 1.0001
        assert 0 <= found.sentence <= 1.0001
        assert 0 <= found.bm25 <= 2.2
        assert 0 <= found.strange <= 2

"""Terms of chunks and questions, by language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.analysis import asked, asked_words, terms


@pytest.mark.parametrize(
    ("language", "text", "question"),
    [
        ("en", "The running dogs chased cats.", "dog run"),
        ("de", "Die Häuser an den Straßen", "HAUS strasse"),
        ("es", "Las bibliotecas fueron construidas", "¿Dónde fue construida la biblioteca?"),
        ("fr", "L'élève a été interrogé à l'école", "ecole eleves"),
        ("ru", "Кислород был открыт учёными", "Кто открыл? учёный"),
        ("ar", "المدرسة الكبيرة", "مدرسة"),
        ("tr", "Işıklar İstanbul'da yandı", "ışık istanbul"),
        ("tr", "Işıklar İstanbul'da yandı", "ISTANBUL"),
        ("hi", "किताबें मेज पर हैं।", "किताब मेज"),
        ("el", "Οι βιβλιοθήκες της Αθήνας", "βιβλιοθήκη"),
        ("ro", "Bibliotecile orașului", "biblioteca oras"),
        ("vi", "Tiếng Việt có dấu", "tieng viet"),
        ("th", "กรุงเทพเป็นเมืองหลวง", "เมืองหลวง"),
        ("zh", "北京大学的图书馆", "图书馆"),
        ("zh", "水是生命", "水"),
        ("ja", "東京タワーは日本にある", "タワー"),
        ("ko", "한국어 문장입니다", "문장"),
        ("", "def foo_bar(): pass", "foo_bar"),
        ("", "def foo_bar(): pass", "bar"),
        ("en", "see rag.store in v2.3.1: error ORA-00942", "rag.store v2.3.1 ora-00942"),
        ("en", "see rag.store in v2.3.1: error ORA-00942", "store 00942"),
    ],
)
def test_what_is_asked_is_in_the_chunk(language: str, text: str, question: str) -> None:
    assert set(asked(question, {language})) <= set(terms(text, language))


def test_the_thing_itself_counts_beside_its_parts() -> None:
    assert terms("foo_bar", "en") == ["foo_bar", "foo", "bar"]
    assert terms("well-known", "en") == ["well", "known"]


def test_common_words_are_in_chunks_and_not_asked_for() -> None:
    assert terms("To be or not", "en") == ["to", "be", "or", "not"]
    assert asked("Where is the library?", {"en"}) == ["librari"]
    # Unless there is nothing else.
    assert asked("to be or not", {"en"}) == ["to", "be", "or", "not"]


def test_a_question_is_asked_in_its_language_or_in_every_one_of_the_notebook() -> None:
    assert asked("Wo steht die Verteidigung?", {"de", "en"}) == ["steht", "verteid"]
    assert set(asked("Verteidigung", {"de", "en"})) == {"verteid", "verteidigung"}
    assert asked("Wo steht die Verteidigung?", {"en"}) == ["steht", "verteidigung"]
    assert asked("Where are the libraries?", {"", "zh"}) == ["librari"]
    # "die" is common in German only.
    assert "die" in asked("Why did the old king die of it?", {"de", "en"})


def test_words_of_a_question_with_the_terms_that_find_each() -> None:
    assert asked_words("Where is the library of foo_bar?", {"en"}) == [("librari",), ("foo_bar",), ("foo",), ("bar",)]
    assert asked_words("Verteidigung", {"de", "en"}) == [("verteid", "verteidigung")]
    assert asked_words("图书馆", {"zh"}) == [("图书",), ("书馆",)]
    assert asked_words("book book", {"en"}) == [("book",)]
    assert asked_words("?!", {"en"}) == []


@given(st.text(), st.sets(st.sampled_from(["", "en", "de", "zh", "th", "hi"]), max_size=2))
def test_both_ways_of_asking_name_the_same_terms(text: str, languages: set[str]) -> None:
    assert {term for word in asked_words(text, languages) for term in word} == set(asked(text, languages))


def test_repeated_words_count_once_for_each_time_and_not_for_each_language() -> None:
    assert sorted(asked("lemon lemon copper", {"en", "fr", "zh"})).count("lemon") == 2


@given(st.text(), st.sampled_from(["", "en", "de", "tr", "vi", "zh", "th", "xx"]))
def test_terms_are_words_without_spaces(text: str, language: str) -> None:
    for term in terms(text, language):
        assert term.split() == [term]
        assert len(term) <= 64

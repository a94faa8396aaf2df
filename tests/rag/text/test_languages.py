"""Languages of sources. The texts are the ones of the tests: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

from rag.text.languages import KNOWN, detect, detect_each, held, is_loaded
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook

ENGLISH = "The old harbour was built by fishermen, and its stone bridge still carries the road along the coast."
GERMAN = "Der alte Hafen wurde von Fischern gebaut, und seine Brücke aus Stein trägt noch immer die Straße."
SPANISH = "El viejo puerto fue construido por pescadores, y su puente de piedra todavía lleva el camino."
CHINESE = "北京大学的图书馆收藏了许多古籍。"
CODE = "for i in range(10):\n    x[i] = y[i] * 2\n"


def test_languages_are_told_apart() -> None:
    assert [detect(one) for one in (ENGLISH, GERMAN, SPANISH, CHINESE)] == ["en", "de", "es", "zh"]
    assert {"en", "de", "zh", "th", "vi", "hi", "el", "ro", "tr", "ar", "ru", "es"} <= set(KNOWN)


def test_a_few_letters_tell_nothing() -> None:
    assert detect("") == detect("12,5 | 7") == detect("copper") == ""
    assert detect("gravitational torque on a satellite vehicle") in ("en", "")
    assert detect_each([]) == []
    assert detect_each(["12", "x"]) == ["", ""]


def test_a_source_has_one_language_whatever_stands_in_it() -> None:
    assert detect_each([GERMAN, "12 | 7 | 9", CODE, GERMAN, "Marigold Petrel", GERMAN]) == ["de"] * 6


def test_a_source_of_two_languages_has_each_chunk_in_its_own() -> None:
    english, german = " ".join([ENGLISH] * 4), " ".join([GERMAN] * 4)
    assert detect_each([english, german, english, german, "12"]) == [
        "en",
        "de",
        "en",
        "de",
        detect(f"{english}\n{german}" * 2),
    ]


def test_the_model_is_there_while_somebody_holds_it() -> None:
    assert detect(ENGLISH) == "en"
    assert not is_loaded()
    with held():
        assert not is_loaded(), "nothing was looked at yet"
        with held():
            assert detect(GERMAN) == "de"
        assert detect_each([SPANISH]) == ["es"]
        assert is_loaded()
    assert not is_loaded()


def test_it_is_let_go_when_a_build_ends_in_an_error() -> None:
    def failing() -> None:
        with held():
            detect(ENGLISH)
            raise OSError

    try:
        failing()
    except OSError:
        assert not is_loaded()


def test_after_a_build_a_process_holds_no_language_model(tmp_path: Path) -> None:
    book = notebook(tmp_path, CountingEmbedding())
    outcome = book.add([file("en.txt", ENGLISH), file("de.txt", GERMAN)])
    assert outcome.sources.added == 2
    assert not is_loaded()

"""Languages of sources. The texts are the ones of the tests: nothing is downloaded."""

from __future__ import annotations

from rag.text.languages import KNOWN, detect, detect_each

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

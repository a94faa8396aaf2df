from __future__ import annotations

import pytest

from rag.text.stopwords import _MORE_STOPS, _STOP_LISTS, question_language, stop_words


@pytest.mark.parametrize("language", sorted(_STOP_LISTS | _MORE_STOPS))
def test_every_list_is_there(language: str) -> None:
    assert len(stop_words(language)) > 20


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("What is information science?", "en"),
        ("Wie viele Punkte gab die Verteidigung ab?", "de"),
        ("¿Cuántos puntos permitió la defensa?", "es"),
        ("Cine a descoperit oxigenul și când a fost?", "ro"),
        ("ai là người đã phát hiện", "vi"),
        ("Кто открыл кислород?", "ru"),
        ("Ποιος ανακάλυψε", "el"),
        ("किसने खोजा", "hi"),
        ("ใครค้นพบออกซิเจน", "th"),
        ("من اكتشف الأكسجين", "ar"),
        ("谁发现了 Oxygen", "zh"),
        ("誰が酸素を発見した", "ja"),
        ("누가 발견했나", "ko"),
        ("copper book", ""),
        ("foo_bar v2", ""),
        ("", ""),
    ],
)
def test_language_of_a_question(question: str, language: str) -> None:
    assert question_language(question, {"en"}) == language


def test_one_common_word_by_chance_tells_nothing() -> None:
    assert "cat" in stop_words("ro")
    assert question_language("dog cat", {"en"}) == ""
    assert question_language("dog cat", {"ro"}) == "ro"


def test_the_sources_decide_between_two() -> None:
    assert question_language("was Sonne", {"de"}) == "de"
    assert question_language("was sun", {"en"}) == question_language("was sun", {""}) == "en"

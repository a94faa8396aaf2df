"""Which questions are declined."""

from __future__ import annotations

import pytest

from rag.citations import Passage
from rag.relevance import answerable, relevant


def passage(text, *, dense=None, lexical=None):
    return Passage(1, "c", "s", "a.txt", text, 0.1, dense=dense, lexical=lexical)


@pytest.mark.parametrize(
    ("question", "found", "expected"),
    [
        ("What do owls eat?", [passage("Prices rose.", dense=0.1)], False),
        ("What do owls eat?", [passage("Prices rose.", dense=0.31)], True),
        ("What do owls eat?", [passage("Owls eat mice.", lexical=2.0)], True),
        ("What do owls eat?", [passage("Owls eat mice.")], False),
        ("What do purple martians eat in winter?", [passage("We eat.", dense=0.1, lexical=1.0)], False),
        ("the of and", [passage("Anything.", dense=0.1)], True),
        ("owls", [], False),
    ],
)
def test_relevant(question, found, expected):
    assert relevant(question, tuple(found)) is expected


@pytest.mark.parametrize(
    ("question", "text", "cosine", "expected"),
    [
        ("When do owls hunt?", "Owls hunt at night.", 0.6, True),
        ("When do owls hunt?", "Prices rose in May.", 0.2, False),
        ("When do owls hunt?", "Owls are birds.", 0.3, False),  # half of the words, and no sentence near
        ("When do owls hunt?", "Nightly prey.", 0.85, True),  # other words, and a sentence very near
        ("Wann jagen Eulen?", "Eulen jagen nachts.", 0.4, True),
        ("Wann jagen Eulen?", "Die Preise stiegen.", 0.5, False),
        ("the of and", "Anything.", 0.0, True),
    ],
)
def test_answerable(question, text, cosine, expected):
    assert answerable(question, [passage(text)], cosine) is expected


def test_without_passages_nothing_is_answerable():
    assert not answerable("When do owls hunt?", [], 0.0)

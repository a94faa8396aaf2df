"""Words that say the same."""

from __future__ import annotations

import pytest

from rag.citing.claims.alignment import align
from rag.citing.claims.synonyms import SYNONYMS


def said(claim: str, text: str) -> bool:
    return align(claim, text) is not None


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("The tool starts at six", "The tool begins at six."),
        ("It contains two rooms", "It comprises two rooms."),
        ("The council purchased the house", "The council bought the house."),
        ("Each line starts with a star", "Each line begins with a star."),
        ("Das Museum bleibt am Montag geschlossen", "Das Museum bleibt montags geschlossen."),
        ("Die Landwirte bekommen 52 Cent", "Die Landwirte erhalten 52 Cent."),
    ],
)
def test_a_synonym_is_the_word(claim: str, text: str) -> None:
    assert said(claim, text)


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("The tool ends at six", "The tool begins at six."),
        ("The council sold the house", "The council bought the house."),
        (
            "Untracked files are included unless you pass that flag",
            "Untracked files are left out unless you pass that flag.",
        ),
        (
            "The plain variant writes the whole table into a new file",
            "The full variant writes the whole table into a new file.",
        ),
    ],
)
def test_another_word_in_its_place_is_not(claim: str, text: str) -> None:
    assert not said(claim, text)


def test_no_group_joins_words_that_say_the_opposite() -> None:
    for one, two in [
        ("begin", "end"),
        ("buy", "sell"),
        ("allow", "forbid"),
        ("big", "small"),
        ("increase", "decrease"),
    ]:
        assert not set(SYNONYMS[one]) & set(SYNONYMS.get(two, ()))

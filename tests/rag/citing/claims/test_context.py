"""What a pronoun stands for."""

from __future__ import annotations

import pytest

from rag.citing.claims.alignment import align


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("The command returns 127", "The command starts a program. It returns 127 on failure."),
        ("The lighthouse's lamp burns whale oil", "The lighthouse is old. Its lamp burns whale oil."),
        ("The Lady Mabel was built in Gdansk", "The Lady Mabel is a ferry. She was built in Gdansk in 2007."),
        ("Die Brücke ist 312 Meter lang", "Die Brücke ist alt. Sie ist 312 Meter lang."),
        ("Frau Helmke gießt die Tomaten", "Der Garten von Frau Helmke ist klein. Sie gießt die Tomaten."),
        (
            "The full variant needs an exclusive lock",
            "The full variant is slow. It writes anew, so it needs an exclusive lock.",
        ),
    ],
)
def test_the_subject_may_be_named_in_the_sentence_before(claim: str, text: str) -> None:
    assert align(claim, text) is not None


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("The Northern Crown was built in Gdansk", "The Lady Mabel met the Northern Crown. She was built in Gdansk."),
        ("Ann Lee lived in the tower", "Ann Lee built it. Two keepers lived in the tower with their families."),
        ("Noble proposed a merger", "Noble led the firm. Ann Lee was unsure when she proposed a merger."),
        (
            "A bug that deleted the theme is fixed",
            "The theme is new. A bug that deleted bookmarks is fixed; it was old.",
        ),
        ("The lamp has 40 rooms", "The lamp burned oil. The hotel has 40 rooms."),
        ("Das Museum gießt die Tomaten", "Das Museum ist alt. Sie gießt die Tomaten."),
    ],
)
def test_but_nobody_else(claim: str, text: str) -> None:
    assert align(claim, text) is None

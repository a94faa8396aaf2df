"""What belongs to which part of a sentence."""

from __future__ import annotations

import pytest

from rag.citing.claims.alignment import align

FERRY = "The ferry runs four times a day from April to October and twice a day in winter."
ROLLS = "A loaf of rye bread costs £4.20 and a dozen rolls cost £3.60."
CODES = "It returns 127 if the program cannot be found on a host, and 126 if it is found but may not be executed."


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("A dozen rolls cost £3.60", ROLLS),
        ("It returns 127 if the program cannot be found", CODES),
        ("The Lady Mabel carries 240 passengers and 38 cars", "The Lady Mabel carries 240 passengers and 38 cars."),
        ("It was opened in 1911", "It was designed by Ann Lee in 1905 and opened in 1911."),
    ],
)
def test_what_stands_together_is_said(claim: str, text: str) -> None:
    assert align(claim, text) is not None


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("The ferry runs twice a day from April to October", FERRY),
        ("The ferry runs four times a day in winter", FERRY),
        ("A dozen rolls cost £4.20", ROLLS),
        ("It returns 126 if the program cannot be found on a host", CODES),
        ("The Lady Mabel carries 38 passengers and 240 cars", "The Lady Mabel carries 240 passengers and 38 cars."),
        ("It was opened in 1905", "It was designed by Ann Lee in 1905 and opened in 1911."),
        (
            "Foot passengers must book a day ahead, whereas cars can buy tickets on board",
            "Cars must book a day ahead, whereas foot passengers can buy tickets on board.",
        ),
        (
            "Der südliche Pfeiler wurde gesprengt",
            "Im Winter wurde sie gesprengt, aber der südliche Pfeiler blieb stehen.",
        ),
        (
            "The push command is deprecated since release 3.4",
            "The save command is deprecated since release 3.4; use push.",
        ),
        ("It is written to the file skipped.txt", "It is skipped and written to the file failed.txt."),
    ],
)
def test_what_is_put_together_from_two_parts_is_not(claim: str, text: str) -> None:
    assert align(claim, text) is None

"""Which texts count as one."""

from __future__ import annotations

import pytest

from rag.duplicates import Likeness
from tests.notebooks import paragraphs

LONG = paragraphs(1, 7)[0]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (LONG, LONG, True),
        (LONG, LONG.replace(". ", ";  ").upper(), True),
        (LONG, LONG.replace("It goes on to", "And it goes on to"), True),
        (LONG, LONG.rsplit(" ", 1)[0] + " otherwise.", True),
        (LONG, paragraphs(1, 8)[0], False),
        (LONG, LONG[: len(LONG) // 2], False),
        # Only a number is another one.
        (f"{LONG} Sales rose by 4 % in 2023.", f"{LONG} Sales rose by 9 % in 2024.", False),
        ("short text", "short text!", False),
        ("", "", False),
    ],
)
def test_alike(one, other, expected):
    assert Likeness.of(one).like(Likeness.of(other)) is expected
    assert Likeness.of(other).like(Likeness.of(one)) is expected

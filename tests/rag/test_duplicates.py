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
        ("北京大学的图书馆收藏了许多古籍，其中有不少是孤本。", "北京大学的图书馆收藏了许多古籍,其中有不少是孤本", True),
        ("北京大学的图书馆收藏了许多古籍，其中有不少是孤本。", "人工智能正在改变世界各地的工业和农业生产方式。", False),
        ("", "", False),
    ],
)
def test_alike(one, other, expected):
    assert Likeness(one).like(Likeness(other)) is expected
    assert Likeness(other).like(Likeness(one)) is expected

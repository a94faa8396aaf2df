"""Which texts count as one."""

from __future__ import annotations

import random

import pytest

from rag.asking.duplicates import Distinct, Likeness
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


def one_by_one(texts, most):
    """What `Distinct` must come to: each text compared with each that is to be shown."""
    told, numbers, found = [], {}, []
    for text in texts:
        if text not in numbers:
            like = next((one for one in told[:most] if Likeness(text).like(Likeness(one))), None)
            if like is not None:
                found.append(numbers[like])
                continue
            numbers[text] = len(told)
            told.append(text)
        found.append(numbers[text])
    return told, found


@pytest.mark.parametrize("most", [1, 8, 40])
@pytest.mark.parametrize("step", [1, 7, 200])
def test_distinct_is_what_comparing_one_by_one_comes_to(most, step):
    chosen = random.Random(most * step)
    texts = ["", "short", "short!", "北京大学的图书馆收藏了许多古籍。", "北京大学的图书馆收藏了许多古籍"]
    for text in paragraphs(12, 3):
        words = text.split(" ")
        for changed in (0, 1, 2, 8, 20):
            copy = list(words)
            for _ in range(changed):
                copy[chosen.randrange(len(copy))] = chosen.choice(["another", "2024", "and", "Zürich"])
            texts.append(" ".join(copy))
    chosen.shuffle(texts)
    texts = [LONG, LONG.upper(), *texts, *texts[:9]]
    distinct = Distinct(most)
    found = [number for at in range(0, len(texts), step) for number in distinct.add(texts[at : at + step])]
    assert (distinct.texts, found) == one_by_one(texts, most)
    assert len(distinct.texts) < len(set(texts))


def test_words_that_share_a_bit_keep_nothing_apart():
    letters = "bcdfghklmnprtvwz"
    words = [a + "a" + b + "o" + c for a in letters for b in letters for c in letters]  # many more than there are bits
    one, other = " ".join(words), " ".join([*words[:-10], "and", "some", "others"])
    assert Distinct(8).add([one, other]) == [0, 0]

from __future__ import annotations

import pytest

from rag.text.counting import count


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 chunks"), (1, "1 chunk"), (2, "2 chunks"), (1284, "1,284 chunks"), (10**6, "1,000,000 chunks")],
)
def test_counts_in_words(number: int, words: str) -> None:
    assert count(number, "chunk") == words

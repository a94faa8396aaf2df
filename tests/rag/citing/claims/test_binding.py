"""What a number or name stands with."""

from __future__ import annotations

import pytest

from rag.citing.claims.alignment import align


@pytest.mark.parametrize(
    ("claim", "text", "there"),
    [
        ("Bob drew the pictures", "Alice wrote the book, and Bob drew the pictures.", True),
        ("Alice drew the pictures", "Alice wrote the book, and Bob drew the pictures.", False),
        ("It competes with CBS and NBC", "It competes with CBS and NBC.", True),
        ("Alice sold 7 cats", "Alice sold 5 cats and 7 dogs.", False),
    ],
)
def test_each_stands_with_its_own_words(claim: str, text: str, there: bool) -> None:
    assert (align(claim, text) is not None) is there

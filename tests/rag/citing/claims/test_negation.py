"""What a negation denies."""

from __future__ import annotations

import pytest

from rag.citing.claims.alignment import align


@pytest.mark.parametrize(
    ("claim", "text", "there"),
    [
        ("Keys are never stored", "Keys are not stored on the disk.", True),
        ("Kunstdünger verwendet er nicht", "Er verwendet keinen Kunstdünger.", True),
        ("Windows 7 isn't supported anymore", "Windows 7 is no longer supported.", True),
        ("Non-blocking disobedience is not simple", "Non-blocking disobedience is simple.", False),
        ("Archives are stored", "Archives are not stored.", False),
    ],
)
def test_claim_and_passage_deny_the_same(claim: str, text: str, there: bool) -> None:
    assert (align(claim, text) is not None) is there

"""Who does what."""

from __future__ import annotations

import pytest

from rag.citing.claims.alignment import align


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("A fire destroyed the balcony", "The balcony was destroyed by a fire."),
        ("The balcony was destroyed by a fire", "A fire destroyed the balcony."),
        ("Ann Lee calculated the orbit", "She wrote to Ann Lee, who calculated the orbit."),
        (
            "Until 1934 two keepers and their families lived there",
            "Until 1934 two keepers lived there with their families.",
        ),
    ],
)
def test_the_voice_may_change(claim: str, text: str) -> None:
    assert align(claim, text) is not None


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("The balcony destroyed a fire", "The balcony was destroyed by a fire."),
        ("The balcony destroyed a fire", "A fire destroyed the balcony."),
        ("The old helmet replaced the clear type", "The old helmet was replaced with the clear type."),
        ("The council collected 12,000 signatures", "The council met after residents had collected 12,000 signatures."),
        ("Bob Ray calculated the orbit", "Bob Ray wrote to Ann Lee, who calculated the orbit."),
        ("The pop command leaves the entry alone", "The apply command works like pop but leaves the entry alone."),
        ("The Northern Crown was built in Gdansk", "She was built in Gdansk and replaced the Northern Crown."),
    ],
)
def test_who_does_it_may_not(claim: str, text: str) -> None:
    assert align(claim, text) is None

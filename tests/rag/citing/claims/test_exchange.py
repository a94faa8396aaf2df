"""What has changed places."""

from __future__ import annotations

import pytest

from rag.citing.claims.alignment import align


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("It copies files from the disk to the cache", "It copies files from the cache to the disk."),
        ("The Battle of Oslo in 1754 came before that of Rome", "The Battle of Rome in 1754 came before that of Oslo."),
        ("He was in Oslo (1971) and later in Rome (1990)", "He was in Oslo (1990) and later in Rome (1971)."),
        ("Rain turns sheep into wolves at night", "Sheep turns rain into wolves at night."),
        ("It was sold from Oslo", "It was sold to Oslo."),
    ],
)
def test_an_exchange_is_seen(claim: str, text: str) -> None:
    assert align(claim, text) is None


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("France and Spain took part", "Spain and France took part."),
        ("It opened on March 5, 2021", "It opened on 5 March 2021."),
        ("In Oslo, Bob met Ann", "Bob met Ann in Oslo."),
        ("The file belongs to cats, dogs and birds", "The file belongs to birds, cats and dogs."),
    ],
)
def test_lists_dates_and_places_may_move(claim: str, text: str) -> None:
    assert align(claim, text) is not None

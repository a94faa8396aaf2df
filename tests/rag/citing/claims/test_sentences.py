"""Where sentences end."""

from __future__ import annotations

import pytest

from rag.citing.claims.sentences import whole_sentences


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One thing. Another thing.", 2),
        ("Mr. Li of St. Gallen left. He came back.", 2),
        ("Es begann am 3. Oktober in Bonn. Dann kam er.", 2),
        ("J. Smith wrote it.", 1),
        ("", 0),
    ],
)
def test_a_full_stop_does_not_always_end_one(text: str, count: int) -> None:
    assert len(whole_sentences(text)) == count

"""Numbers, durations, sizes and moments as they are written on the screen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rag.manifest import VerdictName
from ui import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "under 1 ms"),
        (0.009, "9 ms"),
        (0.0994, "99 ms"),
        (0.41, "0.41 s"),
        (41.8, "41.8 s"),
        (59.97, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3840, "1 h 4 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (48_200, "48.2 KB"),
        (479_400, "479 KB"),
        (21_400_000, "21.4 MB"),
        (999_600, "1.0 MB"),
        (10**13, "10000 GB"),
    ],
)
def test_size(value: int, text: str) -> None:
    assert wording.size(value) == text


@pytest.mark.parametrize(
    ("cost", "text"),
    [(None, "price not known"), (0.0, "$0"), (0.000003, "$0.000003"), (0.0021, "$0.0021"), (1.25, "$1.25")],
)
def test_money(cost: float | None, text: str) -> None:
    assert wording.money(cost) == text


def test_moment() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert wording.moment("2026-11-22T09:40:00Z", UTC, now) == "Today 09:40"
    assert wording.moment("2026-11-21T18:03:00Z", UTC, now) == "Yesterday 18:03"
    assert wording.moment("2026-03-02T18:03:00+00:00", UTC, now) == "2 Mar 2026 18:03"
    assert wording.moment("no time", UTC, now) == "no time"


def test_counts_and_shares() -> None:
    assert wording.count(1284, "chunk") == "1,284 chunks"
    assert wording.count(1, "chunk") == "1 chunk"
    assert wording.count(0, "chunk") == "no chunks"
    assert wording.percent(1283, 1284) == "99.9%"
    assert wording.percent(99_999, 100_000) == "99.9%"
    assert wording.percent(1, 1) == "100%"
    assert wording.percent(0, 0) == "0%"


def test_every_verdict_has_a_look() -> None:
    assert set(wording.LOOKS) == set(VerdictName)

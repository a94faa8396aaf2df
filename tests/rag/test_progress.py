from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from rag.progress import Event, Stage, ignore, never


def test_stages_are_in_the_order_of_a_build() -> None:
    assert [str(stage) for stage in Stage] == ["store", "read", "embed", "write", "verify", "publish"]


def test_an_event_promises_nothing_it_does_not_know() -> None:
    event = Event(Stage.EMBED, 0, 10)
    assert event.rate is event.seconds_left is event.source is event.outcome is None
    assert (event.tokens, event.cost_usd, event.failed) == (0, 0.0, False)
    with pytest.raises(FrozenInstanceError):
        event.done = 1  # type: ignore[misc]


def test_nobody_listens_and_nobody_stops() -> None:
    ignore(Event(Stage.READ, 1, 1))
    assert never() is False

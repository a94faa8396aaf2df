"""One attempt at one build: for whom, under which number, how long its stages take, and what it tells."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rag.building.paying import Payments
from rag.config import Config
from rag.errors import Cancelled
from rag.home.place import Place
from rag.manifest import Receipt
from rag.progress import Event, Stage, Watch

DISTURBED = "Another process wrote into this index at the same moment. Build again."
"""What a Conflict with somebody who writes without the lease says."""


@dataclass(frozen=True)
class Attempt:
    """What the steps of a build share. `snapshot` is the number being built; `resumed` says that an unfinished build
    left a note. `kept` are digests of originals that were kept for this build: their bytes are not looked at again.
    `stages` are seconds so far, by name."""

    place: Place
    config: Config
    payments: Payments
    watch: Watch
    snapshot: int
    resumed: bool
    kept: frozenset[str] = frozenset()
    started: float = field(default_factory=time.monotonic)
    stages: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to a stage, if it ends well."""
        started = time.monotonic()
        yield
        self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - started

    def receipt(self, saved_texts: int) -> Receipt:
        """What it has cost so far; `saved_texts` needed a vector and had one."""
        return self.payments.receipt(saved_texts, time.monotonic() - self.started, self.stages)

    def tell(
        self,
        stage: Stage,
        done: int,
        total: int,
        source: str | None = None,
        outcome: str | None = None,
        *,
        failed: bool = False,
        since: float | None = None,
    ) -> None:
        """Say how far a stage is; with `since` (monotonic seconds, its begin) also how fast it goes, once there is
        something to go by."""
        rate = left = None
        tokens, cost = self.payments.used()
        if since is not None and done:
            rate = done / max(time.monotonic() - since, 1e-6)
            left = (total - done) / rate
        self.watch.on_event(Event(stage, done, total, source, outcome, failed, rate, left, tokens, cost))

    def stop_if_cancelled(self) -> None:
        """Raise Cancelled where somebody wishes it."""
        if self.watch.cancelled():
            raise Cancelled("Stopped. What was paid for is kept, and the next build goes on from there.")

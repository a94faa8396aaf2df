"""Progress of a build, as typed events; and the wish to stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Stages of adding and building, in order."""

    STORE = "store"  # originals are copied into the home
    READ = "read"
    EMBED = "embed"
    WRITE = "write"
    VERIFY = "verify"
    PUBLISH = "publish"


@dataclass(frozen=True)
class Event:
    """How far a stage is.

    `done` of `total` counts sources in `store` and `read`, chunks in `embed`, and steps elsewhere. `source` is the name
    the event is about, and `outcome` says what became of it once it is known (`61 chunks: 1 to embed, 60 reused`).
    `failed` marks an outcome that is a reason for failure. `rate` is per second, `seconds_left` an estimate; both None
    until there is something to go by. `tokens` and `cost_usd` are what this build has paid so far.
    """

    stage: Stage
    done: int
    total: int
    source: str | None = None
    outcome: str | None = None
    failed: bool = False
    rate: float | None = None
    seconds_left: float | None = None
    tokens: int = 0
    cost_usd: float | None = 0.0


OnEvent = Callable[[Event], None]
IsCancelled = Callable[[], bool]


def ignore(_event: Event) -> None:
    """The listener that listens to nothing."""


def never() -> bool:
    """The wish that nobody has: build to the end."""
    return False


@dataclass(frozen=True)
class Watch:
    """How somebody follows a piece of work that only one process of a notebook may do at a time.

    `on_event` hears how far it is. `cancelled` is asked whether to stop; what was paid for is kept then. Where another
    process is at work, it waits up to `wait_seconds`, and `on_wait` is told for whom, once, in a sentence.
    """

    on_event: OnEvent = ignore
    cancelled: IsCancelled = never
    wait_seconds: float = 0
    on_wait: Callable[[str], None] | None = None


UNWATCHED = Watch()

"""How tests wait: for a state, and never for a time.

What a test waits for comes soon on a quiet machine and late on a busy one; it fails only where it never comes. So
nothing here is a promise of speed, and a shorter ceiling would test the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

CEILING = 240.0
"""Seconds after which what a test waits for is taken never to come: of a process, a server, a page."""
FOREVER = 3600.0
"""Seconds that no test lives through: what a server keeps silent for that must be hung up on, given up or stopped."""


def until(state: Callable[[], T], *, pause: Callable[[float], object] = time.sleep) -> T:
    """Look at `state()` until it is true, and give what it was; `pause` gets the seconds to the next look."""
    deadline = time.monotonic() + CEILING
    while not (found := state()):
        assert time.monotonic() < deadline, f"waited in vain for {state}: {found!r}"
        pause(0.02)
    return found

"""A note that a build is under way and how much of it is paid, for whoever finds it after a crash.

The one file that is written over: losing it loses a sentence on the screen, nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

_NAME = "lease/build.json"


@dataclass(frozen=True)
class Interrupted:
    """Texts paid for, of the texts an unfinished build needs."""

    paid: int
    total: int


class Journal:
    """The note in a notebook's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME

    def read(self) -> Interrupted | None:
        """The note of an unfinished build; None when the last one finished, or the note is unreadable."""
        try:
            body = json.loads(self._path.read_text("utf-8"))
            return Interrupted(int(body["paid"]), int(body["total"]))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    def write(self, paid: int, total: int) -> None:
        """Replace the note. A failure to write it must not stop the build that it is about."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_name(f".build-{os.getpid()}.json")
            temporary.write_text(json.dumps({"paid": paid, "total": total}), "utf-8")
            temporary.replace(self._path)

    def clear(self) -> None:
        """Remove the note: the build finished."""
        with contextlib.suppress(OSError):
            self._path.unlink()

"""The ledger: one line for every paid call, written before its result is used, never changed.

Where it cannot be written, what was just paid for is kept all the same, and then the work stops with a sentence.

Each writer has its own file of the day, so that several of them cannot write into each other's lines:
`ledger/<day>/<host>-<process>-<random>.jsonl`. A line cut short by a crash is passed over.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import socket
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from rag.errors import StoreError
from rag.storage import layout
from rag.storage.durable import fsync, make_folder
from rag.storage.failures import translated
from rag.storage.objects import LocalObjects
from rag.storage.stamp import now
from rag.text.counting import count

By = Literal["day", "notebook", "model", "purpose"]

_LOCK = threading.Lock()
_WAITING: dict[Path, list[Entry]] = defaultdict(list)
"""Entries of this process that could not be written yet, by ledger. What was paid for must not go untold."""


@dataclass(frozen=True)
class Entry:
    """One paid call. `cost_usd` is None where the price is unknown. `space` is empty for language models; `snapshot` is
    the one being built or asked."""

    time: str
    model: str
    purpose: Literal["build", "canary", "question", "answer", "rerank", "adopt"]
    texts: int
    tokens: int
    cost_usd: float | None
    notebook: str
    snapshot: int | None = None
    space: str = ""


@dataclass(frozen=True)
class Spent:
    """Calls, texts, tokens and cost of one group of entries. `cost_usd` sums what is known, None where nothing is;
    `unpriced` calls are those whose price is not known, so that unknown never passes for nothing."""

    group: str
    calls: int
    texts: int
    tokens: int
    cost_usd: float | None
    unpriced: int

    @property
    def cost(self) -> str:
        """The cost in words."""
        if self.cost_usd is None:
            return "cost unknown"
        unknown = "" if not self.unpriced else f", and {count(self.unpriced, 'call')} at an unknown price"
        return f"${self.cost_usd:,.6f}{unknown}"


class Ledger:
    """The ledger of one workspace. Safe for threads; all objects of a process write to one file a day."""

    def __init__(self, objects: LocalObjects) -> None:
        self._root = objects.root / layout.LEDGER

    def record(self, entry: Entry) -> None:
        """Append one line; it is on the disk when this returns, with any that could not be written before.

        Raises:
            StoreError: it cannot be written. It waits, as long as this process lives, to be written with the next one
                or when the process ends.
        """
        with _LOCK:
            _WAITING[self._root].append(entry)
        self.settle()

    def settle(self) -> None:
        """Write what could not be written when it was recorded, if anything.

        Raises:
            StoreError: it still cannot be.
        """
        with _LOCK:
            waiting = _WAITING[self._root]
            while waiting:
                day = waiting[0].time[:10]
                together = [one for one in waiting if one.time[:10] == day]
                self._append(day, "".join(_line(one) for one in together))
                waiting[:] = [one for one in waiting if one.time[:10] != day]

    def check(self) -> None:
        """See that a line could be written, before something is paid for.

        Raises:
            StoreError: it could not, or something that was paid for before still cannot be written.
        """
        self.settle()
        with _LOCK:
            self._append(now()[:10], "")

    def _append(self, day: str, lines: str) -> None:
        path = self._root / day / _writer(os.getpid())
        with translated(f"ledger/{day}/{path.name}"):
            new = not path.exists()
            if new:
                make_folder(path.parent)
            with path.open("a+b", buffering=0) as file:  # a buffer would be written once more when it is closed
                size = file.seek(0, os.SEEK_END)
                if size:
                    file.seek(size - 1)
                    if file.read(1) != b"\n":  # cut by a crash: what is left of that line must not swallow this one
                        lines = f"\n{lines}"
                try:
                    left = memoryview(lines.encode("utf-8", "backslashreplace"))
                    while left:
                        left = left[file.write(left) :]
                    os.fsync(file.fileno())
                except OSError:
                    with contextlib.suppress(OSError):
                        os.ftruncate(file.fileno(), size)  # else it would be there twice when it is written again
                    raise
            if new:
                fsync(path.parent)

    def entries(self) -> Iterator[Entry]:
        """Every entry, by day and writer. Lines that cannot be read are passed over: a crash may cut the last one."""
        for path in sorted(self._root.glob("*/*.jsonl")):
            with translated(f"ledger/{path.parent.name}/{path.name}"):
                lines = path.read_text("utf-8", errors="replace").split("\n")
            yield from filter(None, map(_parsed, lines))

    def spent(self, by: By) -> list[Spent]:
        """Totals per day, notebook, model or purpose, sorted by its name."""
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries():
            groups[entry.time[:10] if by == "day" else str(getattr(entry, by))].append(entry)
        return [summed(name, entries) for name, entries in sorted(groups.items())]

    def folder(self) -> Path:
        """Where the ledger lies. It may not exist yet."""
        return self._root


def entry(
    model: str,
    purpose: Literal["build", "canary", "question", "answer", "rerank", "adopt"],
    *,
    texts: int,
    tokens: int,
    cost_usd: float | None,
    notebook: str,
    snapshot: int | None = None,
    space: str = "",
) -> Entry:
    """An entry of this moment."""
    return Entry(now(), model, purpose, texts, tokens, cost_usd, notebook, snapshot, space)


def summed(group: str, entries: Sequence[Entry]) -> Spent:
    """One group of entries."""
    priced = [one.cost_usd for one in entries if one.cost_usd is not None]
    return Spent(
        group=group,
        calls=len(entries),
        texts=sum(one.texts for one in entries),
        tokens=sum(one.tokens for one in entries),
        cost_usd=round(sum(priced), 8) if priced or not entries else None,
        unpriced=len(entries) - len(priced),
    )


def reset() -> None:
    """Forget what waits to be written: for tests, whose homes are gone by the time that it could be."""
    with _LOCK:
        _WAITING.clear()


@atexit.register
def _last_try() -> None:
    """When the process ends: by now there may be room. What still cannot be written was told when it was paid for."""
    for root in list(_WAITING):
        with contextlib.suppress(StoreError):
            Ledger(LocalObjects(root.parent)).settle()


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":")) + "\n"


@cache
def _writer(process: int) -> str:
    """The file name of a process; another one after a fork."""
    return f"{socket.gethostname()}-{process}-{uuid.uuid4().hex[:8]}.jsonl"


def _parsed(line: str) -> Entry | None:
    """The entry of a line; None for what is none: cut short, or not as we write them."""
    try:
        found = Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
    words = (found.time, found.model, found.purpose, found.notebook, found.space)
    counts = (found.texts, found.tokens)
    cost = found.cost_usd
    sound = (
        all(isinstance(one, str) for one in words)
        and all(type(one) is int for one in counts)
        and (cost is None or (isinstance(cost, int | float) and math.isfinite(cost)))
    )
    return found if sound else None

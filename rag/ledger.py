"""The ledger: one line for every paid call, written before its result is used, never changed.

Each writer has its own file of the day, so that several of them cannot write into each other's lines:
`ledger/<day>/<host>-<process>-<random>.jsonl`. A line cut short by a crash is passed over.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Literal

from rag.objects import Objects, fsync, make_folder, translated
from rag.snapshots import now

By = Literal["day", "notebook", "model", "purpose"]

_LOCK = threading.Lock()


@dataclass(frozen=True)
class Entry:
    """One paid call. `cost_usd` is None where the price is unknown. `space` is empty for language models; `snapshot` is
    the one being built or asked."""

    time: str
    model: str
    purpose: Literal["build", "canary", "question", "answer", "adopt"]
    texts: int
    tokens: int
    cost_usd: float | None
    notebook: str
    snapshot: int | None = None
    space: str = ""


@dataclass(frozen=True)
class Spent:
    """Calls, texts, tokens and cost of one group of entries. `cost_usd` sums what is known; `unpriced` calls are those
    whose price is not, so that unknown never passes for nothing."""

    group: str
    calls: int
    texts: int
    tokens: int
    cost_usd: float
    unpriced: int


class Ledger:
    """The ledger of one workspace. Safe for threads; all objects of a process write to one file a day."""

    def __init__(self, objects: Objects) -> None:
        self._root = objects.root / "ledger"

    def record(self, entry: Entry) -> None:
        """Append one line; it is on the disk when this returns.

        Raises:
            StoreError: it cannot be written.
        """
        line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":")) + "\n"
        path = self._root / entry.time[:10] / _writer(os.getpid())
        with _LOCK, translated(f"ledger/{path.parent.name}/{path.name}"):
            new = not path.exists()
            if new:
                make_folder(path.parent)
            with path.open("ab+") as file:
                if not new and not _ends_in_a_line(file):
                    line = "\n" + line  # a full disk cut the one before: this one must not become a part of it
                file.write(line.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            if new:
                fsync(path.parent)

    def entries(self) -> Iterator[Entry]:
        """Every entry, by day and writer. Lines that cannot be read are passed over: a crash may cut the last one."""
        for path in sorted(self._root.glob("*/*.jsonl")):
            with translated(f"ledger/{path.parent.name}/{path.name}"):
                lines = path.read_text("utf-8", errors="replace").splitlines()
            yield from filter(None, map(_parsed, lines))

    def spent(self, by: By) -> list[Spent]:
        """Totals per day, notebook, model or purpose, sorted by its name."""
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries():
            groups[entry.time[:10] if by == "day" else str(getattr(entry, by))].append(entry)
        return [
            Spent(
                group=name,
                calls=len(entries),
                texts=sum(entry.texts for entry in entries),
                tokens=sum(entry.tokens for entry in entries),
                cost_usd=round(sum(entry.cost_usd or 0.0 for entry in entries), 8),
                unpriced=sum(1 for entry in entries if entry.cost_usd is None),
            )
            for name, entries in sorted(groups.items())
        ]

    def folder(self) -> Path:
        """Where the ledger lies. It may not exist yet."""
        return self._root


def entry(
    model: str,
    purpose: Literal["build", "canary", "question", "answer", "adopt"],
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


@cache
def _writer(process: int) -> str:
    """The file name of a process; another one after a fork."""
    return f"{socket.gethostname()}-{process}-{uuid.uuid4().hex[:8]}.jsonl"


def _ends_in_a_line(file: BinaryIO) -> bool:
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _parsed(line: str) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None

"""What a command prints: progress while it works, its report at the end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from rag.commands.reports import Report
from rag.progress import Event, Stage


class Telling:
    """Progress on stderr for a person at a terminal; nothing with `--json` or into a file."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._quiet = bool(options.json) or not sys.stderr.isatty()

    def event(self, event: Event) -> None:
        """One line, written over the one before."""
        if self._quiet:
            return
        left = f", {event.seconds_left:.0f} s left" if event.seconds_left else ""
        end = "\n" if event.stage is Stage.PUBLISH and event.done else ""
        name = printable(event.source or "")[:60]
        print(f"\r\033[K{event.stage} {event.done:,} of {event.total:,}{left} {name}", end=end, file=sys.stderr)

    def asked(self, done: int, total: int, question: str) -> None:
        """As `event`, for questions."""
        if not self._quiet:
            end = "\n" if done == total else ""
            print(f"\r\033[K{done:,} of {total:,} {printable(question)[:60]}", end=end, file=sys.stderr, flush=True)

    def sentence(self, text: str) -> None:
        """A line of its own."""
        if not self._quiet:
            print(printable(text), file=sys.stderr)


def printable(text: str, stream: TextIO | None = None) -> str:
    """Without control characters, which a document could use to write on the terminal, and without what it lacks."""
    shown = "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
    encoding = getattr(stream or sys.stderr, "encoding", None) or "utf-8"
    return shown.encode(encoding, "replace").decode(encoding)


def as_json(report: Report) -> str:
    text = json.dumps(report, ensure_ascii=False, indent=1, default=_jsonable)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(report, indent=1, default=_jsonable)
    return text


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")

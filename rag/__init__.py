"""Ragbook: build an index of your documents once, open it instantly ever after.

The door: what pages and the command line use. Names load when they are first asked for, so that `import rag` costs
nothing and a page that only shows a verdict never imports llama-index or lancedb.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Before anything can import onnxruntime, which reports its use to its makers otherwise; every process of ours comes by
# here first. Whoever wants the reports sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rag.asking.answering import ask
    from rag.asking.opening import Opened
    from rag.changes import Change
    from rag.citing.answer import Answer, Citation, Found, Passage
    from rag.config import Config, Secret, load_config
    from rag.errors import RagbookError
    from rag.home.cells import Cell
    from rag.home.verdicts import Status
    from rag.manifest import Manifest, Receipt, Verdict, VerdictName
    from rag.notebook import Notebook, list_notebooks, open_notebook, open_snapshot
    from rag.outcome import Outcome
    from rag.progress import Event, Stage
    from rag.settings import SAVABLE, SETTINGS
    from rag.sources.incoming import Incoming
    from rag.sources.rows import SourceRow
    from rag.sources.sample import sample_library

_ROOMS = {
    "home.cells": ["Cell"],
    "citing.answer": ["Answer", "Citation", "Found", "Passage"],
    "changes": ["Change"],
    "config": ["Config", "Secret", "load_config"],
    "errors": ["RagbookError"],
    "asking.answering": ["ask"],
    "asking.opening": ["Opened"],
    "manifest": ["Manifest", "Receipt", "Verdict", "VerdictName"],
    "notebook": ["Notebook", "list_notebooks", "open_notebook", "open_snapshot"],
    "outcome": ["Outcome"],
    "settings": ["SAVABLE", "SETTINGS"],
    "sources.incoming": ["Incoming"],
    "sources.rows": ["SourceRow"],
    "progress": ["Event", "Stage"],
    "sources.sample": ["sample_library"],
    "home.verdicts": ["Status"],
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "SAVABLE",
    "SETTINGS",
    "Answer",
    "Cell",
    "Change",
    "Citation",
    "Config",
    "Event",
    "Found",
    "Incoming",
    "Manifest",
    "Notebook",
    "Opened",
    "Outcome",
    "Passage",
    "RagbookError",
    "Receipt",
    "Secret",
    "SourceRow",
    "Stage",
    "Status",
    "Verdict",
    "VerdictName",
    "ask",
    "list_notebooks",
    "load_config",
    "open_notebook",
    "open_snapshot",
    "sample_library",
]


def __getattr__(name: str) -> Any:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    return getattr(import_module(f"rag.{room}"), name)

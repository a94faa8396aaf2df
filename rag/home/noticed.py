"""Files that failed their SHA-256 when something was opened: looking alone, which compares sizes, would pass them by.

Remembered in this process, and checked again at every look, so that what was repaired is forgotten at once.
"""

from __future__ import annotations

import threading
from pathlib import Path

from rag.home.pinned import BadFile, PinnedFiles
from rag.home.place import Place
from rag.manifest import Manifest

_NOTICED: dict[tuple[Path, int], set[str]] = {}
"""Names of files, by the notebook's folder and the number of the snapshot."""
_LOCK = threading.Lock()


def notice(place: Place, manifest: Manifest, bad: BadFile) -> None:
    """Remember a file of a snapshot that failed its check."""
    with _LOCK:
        _NOTICED.setdefault((place.files.at(place.name("")), manifest.snapshot), set()).add(bad.name)


def still_bad(place: Place, manifest: Manifest) -> str | None:
    """What is still wrong with the files of a snapshot that were noticed, as a sentence. Reads nothing where none was.

    What passes its check again is forgotten.
    """
    key = place.files.at(place.name("")), manifest.snapshot
    names = _NOTICED.get(key)
    if not names:
        return None
    found = next(PinnedFiles(place, None).bad(manifest, only=names), None)
    if found is None:
        with _LOCK:
            _NOTICED.pop(key, None)
        return None
    return found.sentence


def reset() -> None:
    """As in a process that opened nothing."""
    with _LOCK:
        _NOTICED.clear()

"""Who reads which snapshot: so that none is pulled away under a reader.

A mark is an empty file that its process holds locked. The lock dies with the process, so a crash leaves a file that
nobody holds, which the next look removes.
"""

from __future__ import annotations

import contextlib
import os
import uuid
import weakref
from pathlib import Path

from filelock import FileLock, Timeout

_FOLDER = "lease/readers"


def mark(folder: Path, snapshot: int, owner: object) -> None:
    """Hold a snapshot of the notebook in `folder` until `owner` is collected or this process ends.

    On a home that cannot be written there is no mark, and nobody who could remove anything either.
    """
    path = folder / _FOLDER / f"{snapshot:08d}-{os.getpid()}-{uuid.uuid4().hex[:8]}.lock"
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, thread_local=False)
        lock.acquire(timeout=0)
        weakref.finalize(owner, _release, lock, path)


def read_now(folder: Path) -> set[int]:
    """Numbers of the snapshots that some process is reading. Marks that nobody holds are removed."""
    held: set[int] = set()
    for path in sorted((folder / _FOLDER).glob("*.lock")):
        number = path.name.split("-", 1)[0]
        if not number.isdigit():
            continue
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            held.add(int(number))
            continue
        except OSError:  # not ours to open: count it as held, which removes nothing
            held.add(int(number))
            continue
        _release(lock, path)
    return held


def _release(lock: FileLock, path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
    lock.release()

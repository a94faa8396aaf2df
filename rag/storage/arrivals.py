"""Notebooks that arrive from outside hold no lease: theirs is not there before they are. Whoever sweeps a whole
workspace, as purging does, takes turns with them here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import Busy
from rag.storage.failures import translated
from rag.storage.layout import ARRIVALS_LOCK


@contextlib.contextmanager
def by_turns(root: Path, *, wait_seconds: float) -> Iterator[None]:
    """Be the only one in the workspace at `root` that imports, or sweeps what imports are made of. A file lock that
    dies with its process.

    Raises:
        Busy: another one still was after `wait_seconds`.
    """
    path = root / ARRIVALS_LOCK
    lock = FileLock(path, thread_local=False)
    with translated(path.name):
        try:
            lock.acquire(timeout=wait_seconds)
        except Timeout:
            raise Busy(
                "A notebook of this workspace is being imported, or a source purged or a space deleted. Try again when "
                "that has finished."
            ) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # while it is held: a folder that was made for nothing can go
        lock.release()

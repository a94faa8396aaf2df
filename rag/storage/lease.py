"""Who is building a notebook: a courtesy between processes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import Busy, Cancelled
from rag.progress import IsCancelled, never
from rag.storage.durable import make_folder
from rag.storage.failures import translated
from rag.storage.stamp import now, writer_name


@contextmanager
def lease(
    folder: Path,
    *,
    wait_seconds: float,
    cancelled: IsCancelled = never,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Be the only builder of the notebook in `folder`, as a courtesy: safety is in `Snapshots.publish`.

    A file lock that dies with its process. `on_wait` is told once, in a sentence, who is building and since when.

    Raises:
        Busy: another process was still building after `wait_seconds`.
        Cancelled: `cancelled()` came true while waiting.
    """
    with translated(str(folder.name)):
        make_folder(folder)
        lock = FileLock(folder / ".lock", thread_local=False)
        deadline = time.monotonic() + wait_seconds
        told = False
        while True:
            try:
                lock.acquire(timeout=0.05)
                break
            except Timeout:
                if cancelled():
                    raise Cancelled("Stopped while waiting for another process to finish building.") from None
                who = lease_holder(folder) or "Another process"
                if time.monotonic() >= deadline:
                    raise Busy(f"{who} is building this notebook. Try again when it has finished.") from None
                if on_wait and not told:
                    on_wait(f"{who} is building this notebook; waiting for it to finish.")
                    told = True
                time.sleep(0.1)
    note = folder / ".lock.json"
    try:
        with suppress(OSError):  # a courtesy too: on a full disk, what makes room must be able to begin
            note.write_text(json.dumps({"writer": writer_name(), "since": now()}), "utf-8")
        yield
    finally:
        with suppress(OSError):
            note.unlink()
        lock.release()


def _held(path: Path) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: no shared locks, so two who ask at once may take each other for a builder
        return path.exists() and _refuses(path)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # nobody was ever building here, or nobody can
        return False
    try:
        # Shared, so that those who ask do not take each other for a builder. Closing lets go of it.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _refuses(path: Path) -> bool:
    probe = FileLock(path, thread_local=False)
    try:
        probe.acquire(timeout=0)
        probe.release()
    except Timeout:  # a Timeout is an OSError too, so it goes first
        return True
    except OSError:  # a home that cannot be written has no builder
        return False
    return False


def lease_holder(folder: Path) -> str | None:
    """Who is building and since when, as the beginning of a sentence; None when nobody is."""
    if not _held(folder / ".lock"):
        return None
    try:
        note = json.loads((folder / ".lock.json").read_text("utf-8"))
        return f"{note['writer']} (since {note['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "Another process"

"""The snapshots of a notebook: head, history, publish. And the lease: who is building."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import AlreadyExists, Busy, Cancelled, Conflict, Damaged, NotFound, NotWritable
from rag.manifest import Manifest, parse_manifest
from rag.progress import IsCancelled, never
from rag.storage.objects import Objects, make_folder, translated

_NUMBERED = re.compile(r"([0-9]{8,})\.json")


class Snapshots:
    """The manifests of one notebook, numbered from 1."""

    def __init__(self, objects: Objects, slug: str) -> None:
        self._objects = objects
        self._folder = f"notebooks/{slug}/manifests"

    def numbers(self) -> list[int]:
        """Numbers in use, ascending, whether their manifests are intact or not."""
        # A folder under a manifest's name takes its number.
        names = [*self._objects.names(self._folder), *self._objects.folders(self._folder)]
        found = (_NUMBERED.fullmatch(name.rsplit("/", 1)[-1]) for name in names)
        return sorted(int(match[1]) for match in found if match)

    def get(self, number: int) -> Manifest:
        """One manifest.

        Raises:
            NotFound: there is no snapshot of that number.
            Damaged: it fails its check.
            NewerFormat: a newer Ragbook wrote it.
        """
        name = self.name(number)
        try:
            content = self._objects.get(name)
        except NotFound:
            if (self._objects.root / name).is_dir():
                raise Damaged(f"{name} fails its check: it is a folder.") from None
            raise NotFound(f"There is no snapshot {number}.") from None
        except NotWritable as error:
            raise Damaged(f"{name} cannot be read. {error}") from error
        manifest = parse_manifest(content, name)
        if manifest.snapshot != number:
            raise Damaged(f"{name} fails its check: it says that it is snapshot {manifest.snapshot}.")
        return manifest

    def newest(self, below: int | None = None) -> Iterator[Manifest | Damaged]:
        """Manifests from the newest to the oldest; in place of one that fails its check, the reason. Only those of
        numbers under `below`, if given. Each is read when it is asked for.

        Raises:
            NewerFormat: when the iteration meets one.
        """
        for number in reversed(self.numbers()):
            if below is not None and number >= below:
                continue
            try:
                yield self.get(number)
            except Damaged as error:
                yield error
            except NotFound:  # retired between the listing and the look
                continue

    def head(self) -> Manifest | None:
        """The newest manifest that passes its check."""
        return next((found for found in self.newest() if isinstance(found, Manifest)), None)

    def next_number(self) -> int:
        """The number after the highest in use. A damaged manifest keeps its number: history only grows."""
        numbers = self.numbers()
        return numbers[-1] + 1 if numbers else 1

    def publish(self, manifest: Manifest) -> None:
        """Create the manifest: the one commit point. Everything it pins must be durable before.

        Raises:
            Conflict: that number was published by another writer in the meantime.
        """
        try:
            self._objects.create(self.name(manifest.snapshot), manifest.to_json())
        except AlreadyExists:
            raise Conflict(f"Snapshot {manifest.snapshot} was published by another writer first.") from None

    def name(self, number: int) -> str:
        """Name of the object that holds a manifest."""
        return f"{self._folder}/{number:08d}.json"


def now() -> str:
    """The time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def writer_name() -> str:
    """Who writes: host and process, for manifests and for those who wait."""
    return f"{socket.gethostname()}:{os.getpid()}"


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

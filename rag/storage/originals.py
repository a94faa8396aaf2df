"""The bytes of every source as they were given, kept by their SHA-256, so that any index can be built again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from pathlib import Path
from typing import BinaryIO

from rag.errors import AlreadyExists
from rag.storage import layout
from rag.storage.digests import _BLOCK, MAX_BYTES, Kind, _too_large, file_sha256, measured
from rag.storage.durable import fsync, make_folder
from rag.storage.failures import translated
from rag.storage.objects import TEMPORARY, LocalObjects

_HELD = 8 << 20
"""Largest file, in bytes, that is held in memory while it is kept: where its bytes are there already, nothing is
written. A larger one is written to the side first."""


class Originals:
    """Originals of one workspace: `originals/ab/abcdef…`, immutable."""

    def __init__(self, objects: LocalObjects) -> None:
        self._objects = objects

    def keep(self, source: Path | bytes) -> tuple[str, int]:
        """Copy a source into the home, unless its bytes are there already. Gives (digest, size in bytes).

        Its bytes are read once, and written once at most.

        Raises:
            SourceTooLarge: more than `MAX_BYTES`; checked before and while reading.
            OSError: the source itself cannot be read.
            StoreError: the home cannot be written.
        """
        if isinstance(source, bytes):
            return self._keep_bytes(source)
        size = source.stat().st_size
        if size > MAX_BYTES:
            raise _too_large(size)
        with source.open("rb") as reading:
            if size > _HELD:
                return self._keep_stream(reading)
            return self._keep_bytes(reading.read(MAX_BYTES + 1))  # a device or a pipe has no size, and may have no end

    def _keep_bytes(self, content: bytes) -> tuple[str, int]:
        size = len(content)
        if size > MAX_BYTES:
            raise _too_large(size)
        digest = hashlib.sha256(content).hexdigest()
        if not self._renewed(digest, size):
            self._set_aside(digest)
            with contextlib.suppress(AlreadyExists):
                self._objects.create(self.name(digest), content)
        return digest, size

    def _keep_stream(self, reading: BinaryIO) -> tuple[str, int]:
        """What is too large to be held is hashed while it is copied: the file may be changing under us."""
        copied = hashlib.sha256()
        folder = self._objects.root / layout.ORIGINALS
        with translated(layout.ORIGINALS):
            make_folder(folder)
        temporary = folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        size = 0
        try:
            with translated(layout.ORIGINALS):
                writing = temporary.open("wb", buffering=0)
            with writing:
                while block := reading.read(_BLOCK):  # fails as the source's fault, not the home's
                    size += len(block)
                    if size > MAX_BYTES:
                        raise _too_large(size)
                    copied.update(block)
                    with translated(layout.ORIGINALS):
                        left = memoryview(block)
                        while left:
                            left = left[writing.write(left) :]
            digest = copied.hexdigest()
            with translated(layout.ORIGINALS):
                fsync(temporary)
            if not self._renewed(digest, size):
                self._set_aside(digest)
                with contextlib.suppress(AlreadyExists):
                    self._objects.create_with(self.name(digest), lambda target: target.hardlink_to(temporary))
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        return digest, size

    def has(self, digest: str, size: int | None = None) -> bool:
        """Whether an original is there, and has `size` bytes where that is given."""
        try:
            found = self.path(digest).stat().st_size
        except OSError:
            return False
        return size is None or found == size

    def intact(self, digest: str, size: int) -> bool:
        """Whether an original is there and its bytes are those of its name. Reads all of it."""
        if not self.has(digest, size):
            return False
        try:
            return measured(self.path(digest)) == (digest, size)
        except OSError:
            return False

    def _set_aside(self, digest: str) -> None:
        # What is there under this name, if anything, is not what the name says: a good copy is at hand to replace it.
        self._objects.delete(self.name(digest))

    def renewed(self, digest: str, size: int) -> bool:
        """Whether an original is there, which was kept a short while ago; its bytes are not read again. It is as of
        now: garbage is only what has been old for a while, so this one is safe until it is registered."""
        if not self.has(digest, size):
            return False
        try:
            os.utime(self.path(digest))
        except FileNotFoundError:  # collected between the two looks: to be kept anew
            return False
        except OSError:  # not ours to touch; whoever may not touch it may not remove it either
            return True
        return True

    def _renewed(self, digest: str, size: int) -> bool:
        """`intact`, and `renewed`."""
        return self.intact(digest, size) and self.renewed(digest, size)

    def path(self, digest: str) -> Path:
        """Where an original lies. It may be missing."""
        return self._objects.root / self.name(digest)

    @staticmethod
    def name(digest: str) -> str:
        """Name of the object that holds an original."""
        return layout.original(digest)


def bad_original(originals: Originals, digest: str, size: int | None, *, deep: bool) -> tuple[Kind, str] | None:
    """What is wrong with an original, and the words that follow its name; None where it passes.

    `deep` compares its SHA-256 with its name; otherwise its size is compared, where that is known.
    """
    path = originals.path(digest)
    try:
        if not path.is_file():
            return "missing", "is missing"
        found = path.stat().st_size
        if size is not None and found != size:
            return "size", f"has {found:,} bytes instead of {size:,}"
        if deep and file_sha256(path) != digest:
            return "altered", "has other bytes than were added: its SHA-256 is not its name"
    except OSError as error:
        return "unreadable", f"cannot be read: {error.strerror or error}"
    return None

"""The bytes of every source as they were given, kept by their SHA-256, so that any index can be built again."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from pathlib import Path

from rag.errors import AlreadyExists, SourceTooLarge
from rag.objects import TEMPORARY, Objects, fsync, make_folder, translated

MAX_BYTES = 100 << 20
"""Largest source, in bytes; the upload widget and the readers have the same limit."""

_BLOCK = 1 << 20


class Originals:
    """Originals of one workspace: `originals/ab/abcdef…`, immutable."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def keep(self, source: Path | bytes) -> tuple[str, int]:
        """Copy a source into the home, unless its bytes are there already. Gives (digest, size in bytes).

        Raises:
            SourceTooLarge: more than `MAX_BYTES`; checked before and while reading, so nothing large is held in memory.
            OSError: the source itself cannot be read.
            StoreError: the home cannot be written.
        """
        if isinstance(source, bytes):
            digest, size = hashlib.sha256(source).hexdigest(), len(source)
            if size > MAX_BYTES:
                raise _too_large(size)
            if not self.has(digest, size):
                with contextlib.suppress(AlreadyExists):
                    self._objects.create(self.name(digest), source)
            return digest, size
        return self._keep_file(source)

    def _keep_file(self, source: Path) -> tuple[str, int]:
        size = source.stat().st_size
        if size > MAX_BYTES:
            raise _too_large(size)
        digest = hashlib.sha256()
        with source.open("rb") as reading:
            while block := reading.read(_BLOCK):
                digest.update(block)
        name = digest.hexdigest()
        if self.has(name, size):
            return name, size
        # Hash what is copied, not what was looked at before: the file may be changing under us.
        copied = hashlib.sha256()
        folder = self._objects.root / "originals"
        with translated("originals"):
            make_folder(folder)
        temporary = folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        size = 0
        try:
            with source.open("rb") as reading, translated("originals"), temporary.open("wb") as writing:
                while block := reading.read(_BLOCK):
                    size += len(block)
                    if size > MAX_BYTES:
                        raise _too_large(size)
                    copied.update(block)
                    writing.write(block)
            name = copied.hexdigest()
            with translated("originals"):
                fsync(temporary)
            if not self.has(name, size):
                with contextlib.suppress(AlreadyExists):
                    self._objects.create_with(self.name(name), lambda target: target.hardlink_to(temporary))
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        return name, size

    def has(self, digest: str, size: int | None = None) -> bool:
        """Whether an original is there, and has `size` bytes where that is given."""
        try:
            found = self.path(digest).stat().st_size
        except OSError:
            return False
        return size is None or found == size

    def path(self, digest: str) -> Path:
        """Where an original lies. It may be missing."""
        return self._objects.root / self.name(digest)

    @staticmethod
    def name(digest: str) -> str:
        """Name of the object that holds an original."""
        return f"originals/{digest[:2]}/{digest}"


def _too_large(size: int) -> SourceTooLarge:
    return SourceTooLarge(
        f"The file has {size / (1 << 20):,.0f} MB, and the limit is {MAX_BYTES >> 20} MB. Split it and add the parts."
    )

"""Writing an archive: members streamed and hashed one by one, under a temporary name until all is there.

Members are stored, not compressed: vectors do not compress, most originals are compressed already, and an archive
that never expands cannot be mistaken for one that was made to fill a disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from rag.errors import AlreadyExists, Damaged, NotFound
from rag.moving.contents import CONTENTS, Contents, Member
from rag.storage.durable import fsync
from rag.storage.failures import translated
from rag.storage.objects import TEMPORARY

_BLOCK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say: an archive does not tell when its parts were written


class Packing:
    """An archive being written. Leaving the `with` block without `finish` removes it."""

    def __init__(self, file: Path) -> None:
        """Raises NotFound: the folder is missing. AlreadyExists: `file` is there and is no archive to be replaced."""
        self.file = file
        if not file.parent.is_dir():
            raise NotFound(f"There is no folder {file.parent}. Make it first, or name another place.")
        if os.path.lexists(file) and not (file.is_file() and zipfile.is_zipfile(file)):
            raise AlreadyExists(f"{file} exists and is not an archive, so it is not replaced. Give another name.")
        self.folder = file.parent / f"{TEMPORARY}export-{uuid.uuid4().hex}"
        self._members: list[Member] = []
        self._opened: zipfile.ZipFile | None = None

    def __enter__(self) -> Packing:
        with translated(str(self.file)):
            self.folder.mkdir(mode=0o700)
        self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import shutil

        self._close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        """Begin anew, without any member."""
        self._close()
        self._members = []
        with translated(str(self.file)):
            self._opened = zipfile.ZipFile(self.folder / "archive.zip", "w", zipfile.ZIP_STORED, allowZip64=True)

    def add_bytes(self, name: str, content: bytes) -> None:
        """A small member."""
        with self._member(name, len(content)) as target:
            target.write(content)
        self._members.append(Member(name, len(content), hashlib.sha256(content).hexdigest()))

    def add_file(self, name: str, source: Path, size: int | None = None, sha256: str | None = None) -> None:
        """A member with the bytes of `source`, which must have `size` and `sha256` where those are given.

        Raises:
            Damaged: the file is missing, or is not what was expected; names it and the check.
        """
        digest, count = hashlib.sha256(), 0
        try:
            reading = source.open("rb")
        except FileNotFoundError:
            raise Damaged(f"{name} is missing from the home.") from None
        with reading, translated(str(self.file)):
            expected = os.fstat(reading.fileno()).st_size if size is None else size
            with self._member(name, expected) as target:
                while block := reading.read(_BLOCK):
                    count += len(block)
                    digest.update(block)
                    target.write(block)
        if count != expected:
            raise Damaged(f"{name} has {count:,} bytes instead of {expected:,}.")
        if sha256 is not None and digest.hexdigest() != sha256:
            raise Damaged(f"{name} fails its check: its SHA-256 is not the recorded one.")
        self._members.append(Member(name, count, digest.hexdigest()))

    def finish(self, slug: str, title: str, snapshot: int, created: str) -> int:
        """Write the list of contents, make the archive durable and give it its name. Returns its size in bytes."""
        contents = Contents(slug, title, snapshot, created, tuple(sorted(self._members, key=lambda one: one.name)))
        self.add_bytes(CONTENTS, contents.to_json())
        whole = self.folder / "archive.zip"
        with translated(str(self.file)):
            self._zip.close()
            fsync(whole)
            size = whole.stat().st_size
            whole.replace(self.file)
            fsync(self.file.parent)
        return size

    @property
    def _zip(self) -> zipfile.ZipFile:
        assert self._opened is not None, "a Packing is used in a with block"
        return self._opened

    def _close(self) -> None:
        if self._opened is not None:
            with contextlib.suppress(OSError, ValueError):  # it is thrown away
                self._opened.close()

    @contextlib.contextmanager
    def _member(self, name: str, size: int) -> Iterator[IO[bytes]]:
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.external_attr = (stat.S_IFREG | 0o600) << 16
        entry.file_size = size  # so that zipfile knows beforehand whether it needs the large form
        with translated(str(self.file)), self._zip.open(entry, "w") as target:
            yield target

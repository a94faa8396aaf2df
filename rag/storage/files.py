"""The files of a workspace on this machine, by their names below it: tables, originals, and what was moved aside.

Where the home is a folder, these are the home's own. Rooms outside `storage`, `tables` and `reading` ask here by name,
and hand a place on to tables (`at`); they join, open and list no paths themselves: what lies where is the business of
one room.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from rag.storage.aside import set_aside
from rag.storage.digests import file_sha256
from rag.storage.durable import fsync
from rag.storage.failures import translated


class Files:
    """Files below `root`. Names are relative, with `/`. Making one reads and creates nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def at(self, name: str = "") -> Path:
        """Where something of that name lies, to hand on. It may not exist."""
        return self._root / name if name else self._root

    def exists(self, name: str) -> bool:
        """Whether there is a file or a folder of that name."""
        return self.at(name).exists()

    def is_file(self, name: str) -> bool:
        """Whether there is a file of that name. Raises OSError where that cannot be told."""
        return self.at(name).is_file()

    def is_folder(self, name: str) -> bool:
        """Whether there is a folder of that name."""
        return self.at(name).is_dir()

    def size(self, name: str) -> int:
        """Bytes of a file. Raises OSError: it is not there, or cannot be looked at."""
        return self.at(name).stat().st_size

    def modified(self, name: str) -> float:
        """When a file was last written, in seconds since the epoch. Raises OSError as `size`."""
        return self.at(name).stat().st_mtime

    def sha256(self, name: str) -> str:
        """SHA-256 of a file, 64 hex digits. Raises OSError: it cannot be read."""
        return file_sha256(self.at(name))

    def found(self, folder: str, pattern: str = "**/*") -> Iterator[str]:
        """Names of the files and folders below a folder that fit a pattern, in no particular order; links are not
        followed into. None where there is no such folder."""
        for path in self.at(folder).glob(pattern):
            yield path.relative_to(self._root).as_posix()

    def ordinary(self, name: str) -> bool:
        """Whether it is a file and no link."""
        path = self.at(name)
        return path.is_file() and not path.is_symlink()

    def set_aside(self, name: str) -> str | None:
        """Rename a damaged file or folder: nothing is deleted. Gives the last part of its new name; None where there is
        none of that name.

        Raises:
            StoreError: it cannot be renamed.
        """
        path = self.at(name)
        with translated(name):
            return set_aside(path).name if path.exists() else None

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; none of that name is fine.

        Raises:
            StoreError: it cannot be removed.
        """
        path = self.at(name)
        with translated(path.name):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def rename(self, name: str, new: str) -> None:
        """Give a file or folder another name in its folder, for good when this returns. Raises OSError."""
        path = self.at(name)
        path.rename(path.with_name(new))
        fsync(path.parent)

    def prune(self, folder: str) -> None:
        """Remove a folder that has become empty, and its parents likewise, up to the workspace."""
        path = self.at(folder)
        while path != self._root:
            try:
                path.rmdir()
            except OSError:  # not empty, which is the usual case
                break
            path = path.parent
        with contextlib.suppress(OSError):
            fsync(path)

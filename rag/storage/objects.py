"""Small immutable objects under one folder: create-if-absent, get, list, delete.

Reading, listing and deleting go through obstore, whose one API also speaks to object stores. Creating is the only
write, and on a local disk it is ours, because obstore makes no fsync: temporary file, fsync, hard link (fails if the
name exists), fsync of the folder. So an object is there whole and durable, or not at all.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import obstore
from obstore.store import LocalStore

from rag.errors import AlreadyExists, ConfigError, NotFound, StoreUnavailable
from rag.storage.aside import set_aside
from rag.storage.durable import fsync, make_folder
from rag.storage.failures import translated
from rag.storage.files import Files

TEMPORARY = ".tmp-"
"""Prefix of files that are not there yet. A crash leaves them; no reader looks at them."""


class Objects(ABC):
    """Objects by name; names are relative, with `/`. Whoever keeps small things asks this and nothing below it, so that
    another store is another subclass."""

    @abstractmethod
    def get(self, name: str) -> bytes:
        """The bytes of an object.

        Raises:
            NotFound: there is none of that name.
            StoreError: it cannot be read.
        """

    @abstractmethod
    def create(self, name: str, content: bytes) -> None:
        """Write an object that must not exist yet; it is there for good when this returns.

        Raises:
            AlreadyExists: an object of that name exists; it was not touched.
            StoreError: disk full, permission denied, or the like; no object of that name exists then.
        """

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """Names of the objects directly in folder `prefix`, sorted; none when there is no such folder.

        Folders and temporary files are not objects.
        """

    @abstractmethod
    def folders(self, prefix: str) -> list[str]:
        """Names of the folders directly in folder `prefix`, sorted, without the prefix."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is an object of that name."""

    @abstractmethod
    def is_folder(self, name: str) -> bool:
        """Whether there is a folder of that name, where an object should be or of which it is the prefix."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove an object; none of that name is fine."""

    @abstractmethod
    def set_aside(self, name: str) -> str | None:
        """Give a damaged object, or a folder in the place of one, another name beside it: nothing is deleted. Gives the
        last part of the new name; None where there is none of that name."""


class LocalObjects(Objects):
    """Objects in a folder. Nothing is created on disk until the first `create`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def files(self) -> Files:
        """The same folder as files by their names."""
        return Files(self.root)

    @cached_property
    def _store(self) -> LocalStore:
        return LocalStore(self.root)

    def get(self, name: str) -> bytes:
        with translated(name):
            if not self.root.is_dir():
                raise NotFound(f"{name} does not exist.")
            try:
                return bytes(self._store.get(name).bytes())
            except FileNotFoundError:
                raise NotFound(f"{name} does not exist.") from None

    def create(self, name: str, content: bytes) -> None:
        self.create_with(name, lambda file: file.write_bytes(content))

    def create_with(self, name: str, write: Callable[[Path], object]) -> None:
        """`create`, with the bytes written by `write(temporary path)`."""
        target = self.root / name
        with translated(name):
            make_folder(target.parent)
            temporary = target.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
            try:
                write(temporary)
                fsync(temporary)
                try:
                    os.link(temporary, target)
                except FileExistsError:
                    raise AlreadyExists(f"{name} exists already.") from None
                fsync(target.parent)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    temporary.unlink()

    def names(self, prefix: str) -> list[str]:
        with translated(prefix):
            if not (self.root / prefix).is_dir():
                return []
            found = (entry["path"] for entry in obstore.list_with_delimiter(self._store, prefix)["objects"])
            return sorted(name for name in found if not name.rsplit("/", 1)[-1].startswith("."))

    def folders(self, prefix: str) -> list[str]:
        with translated(prefix):
            if not (self.root / prefix).is_dir():
                return []
            found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
            return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in found)

    def exists(self, name: str) -> bool:
        with translated(name):
            return (self.root / name).is_file()

    def is_folder(self, name: str) -> bool:
        with translated(name):
            return (self.root / name).is_dir()

    def delete(self, name: str) -> None:
        with translated(name), contextlib.suppress(FileNotFoundError):
            if self.root.is_dir():
                self._store.delete(name)

    def set_aside(self, name: str) -> str | None:
        path = self.root / name
        with translated(name):
            return set_aside(path).name if path.exists() else None


def open_home(home: str, workspace: str) -> LocalObjects:
    """The objects of one workspace. Creates nothing.

    Raises:
        ConfigError: `home` is an address of a kind that is not supported.
        StoreUnavailable: `home` exists and is not a folder.
    """
    if "://" in home and not home.startswith("file://"):
        raise ConfigError(
            f"RAGBOOK_HOME is {home!r}. This Ragbook keeps its home in a local folder: give a path such as ./data."
        )
    root = Path(home.removeprefix("file://")).expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise StoreUnavailable(f"RAGBOOK_HOME is {home!r}, which is a file. Give a folder.")
    return LocalObjects(root / workspace)

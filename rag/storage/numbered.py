"""Numbered objects in one folder: created if absent, never changed, the newest that passes its check counts.

Two writers cannot overwrite each other: whoever comes second finds the number taken, and looks again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from rag.errors import AlreadyExists, Damaged, NotFound, NotWritable
from rag.storage.layout import numbered
from rag.storage.objects import Objects

T = TypeVar("T")

_NUMBERED = re.compile(r"([0-9]{8,})\.json")


class Numbered(Generic[T]):
    """The objects of a folder by number, from 1. `parse(content, name)` makes a value of one; it raises Damaged for
    what fails its check, and NewerFormat for what a newer Ragbook wrote."""

    def __init__(self, objects: Objects, folder: str, parse: Callable[[bytes, str], T]) -> None:
        self._objects = objects
        self._folder = folder
        self._parse = parse

    def name(self, number: int) -> str:
        """Name of the object of that number."""
        return f"{self._folder}/{numbered(number)}"

    def numbers(self) -> list[int]:
        """Numbers in use, ascending, whether their objects are intact or not.

        A folder under such a name takes its number. Whatever else lies here (a sync tool's copy, a note of the
        system's) has none.
        """
        names = [*self._objects.names(self._folder), *self._objects.folders(self._folder)]
        found = (_NUMBERED.fullmatch(name.rsplit("/", 1)[-1]) for name in names)
        return sorted(int(match[1]) for match in found if match)

    def next_number(self) -> int:
        """The number after the highest in use. A damaged object keeps its number: history only grows."""
        numbers = self.numbers()
        return numbers[-1] + 1 if numbers else 1

    def get(self, number: int) -> T:
        """One of them.

        Raises:
            NotFound: there is none of that number.
            Damaged: it fails its check, or cannot be read.
            NewerFormat: a newer Ragbook wrote it.
        """
        name = self.name(number)
        try:
            content = self._objects.get(name)
        except NotFound:
            if self._objects.is_folder(name):
                raise Damaged(f"{name} fails its check: it is a folder.") from None
            raise
        except NotWritable as error:
            raise Damaged(f"{name} cannot be read. {error}") from error
        return self._parse(content, name)

    def newest(self, below: int | None = None) -> Iterator[tuple[int, T | Damaged]]:
        """Numbers with what they hold, from the newest to the oldest; in place of one that fails its check, the reason.
        Only numbers under `below`, if given. Each is read when it is asked for; one that was removed between the
        listing and the look is left out.

        Raises:
            NewerFormat: when the iteration meets one.
        """
        for number in reversed(self.numbers()):
            if below is not None and number >= below:
                continue
            try:
                yield number, self.get(number)
            except Damaged as error:
                yield number, error
            except NotFound:
                continue

    def create(self, number: int, content: bytes) -> bool:
        """Whether it was the first of its number; it is on the disk then."""
        try:
            self._objects.create(self.name(number), content)
        except AlreadyExists:
            return False
        return True

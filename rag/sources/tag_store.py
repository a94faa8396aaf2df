"""The tags of one notebook on the disk, numbered: the newest that passes its check counts."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from rag.checked import FORMAT, dump_checked, load_checked, refuse_newer
from rag.errors import AlreadyExists, Conflict, Damaged, NotFound, NotWritable, StoreError, TagInvalid
from rag.sources.tags import ById, _well
from rag.storage.failures import translated
from rag.storage.objects import Objects

_KEPT = 8
"""Objects that are kept, the newest among them: what is damaged is replaced by the one before."""
_ATTEMPTS = 200
_NUMBERED = re.compile(r"(?:.*/)?([0-9]{8,})\.json")
_REPAIR = "`python -m rag doctor --repair --yes` puts back the tags from before it. Searching without tags goes on."


@dataclass(frozen=True)
class Tagged:
    """One state of a notebook's tags. Number 0 is before the first."""

    number: int = 0
    of: ById = field(default_factory=dict)

    def to_json(self) -> bytes:
        """With a checksum, as every JSON object of the storage format."""
        tags = {source_id: list(tags) for source_id, tags in self.of.items()}
        return dump_checked({"format": FORMAT, "number": self.number, "tags": tags})


class Tags:
    """The tags of one notebook, by source id."""

    def __init__(self, objects: Objects, slug: str) -> None:
        self._objects = objects
        self._folder = f"notebooks/{slug}/tags"

    def newest(self) -> Tagged:
        """The tags as they are now.

        Raises:
            Damaged: the newest object fails its check. NewerFormat: a newer Ragbook wrote it.
        """
        found, damaged = self._look()
        if damaged:
            raise Damaged(f"{damaged[0][1]} {_REPAIR}")
        return found

    def any(self) -> bool:
        """Whether anything was ever tagged. Reads nothing."""
        return bool(self._names())

    def damaged(self) -> list[tuple[str, str]]:
        """Objects newer than the newest that passes its check: name, and what is wrong in a sentence; newest first."""
        return self._look()[1]

    def change(self, edit: Callable[[ById], ById]) -> Tagged:
        """Publish `edit(tags as they are)`; where another writer was faster, `edit` is asked again with what that one
        published. So it must be such that doing it twice is the same as once.

        Raises:
            Conflict: other writers were faster, many times in a row. Damaged, NewerFormat: as `newest`. And whatever
                `edit` raises.
        """
        for attempt in range(_ATTEMPTS):
            number = self._next_number()
            newest = self.newest()
            if newest.number >= number:  # one came between the two looks
                continue
            wanted = edit(newest.of)
            if wanted == newest.of:
                return newest
            # Where a newer one is there already, ours may have taken a number that was pruned meanwhile, and so be seen
            # by nobody: then it is done again, which changes nothing where it was seen.
            if self._create(number, wanted) and self._next_number() == number + 1:
                self._prune(number - _KEPT)
                return Tagged(number, wanted)
            time.sleep(random.random() * min(0.1, 0.002 * attempt))  # noqa: S311 so that they do not stay in step
        raise Conflict("Other processes keep changing the tags of this notebook. Try again.")

    def repair(self) -> list[str]:
        """Make the newest tags that pass their check the ones that count; what is damaged is moved aside. Says what was
        done, in sentences; nothing where all is well."""
        from rag.storage.aside import set_aside  # imports the place, which imports this

        while True:
            number = self._next_number()  # before the look, so that what another writes after it is not undone
            found, damaged = self._look()
            if not damaged:
                return []
            if self._create(number, found.of):  # first: their numbers stay taken until there is a newer one
                break
        said = [f"The tags are again as in the newest object that can be read: {len(found.of):,} sources have some."]
        for name, _ in damaged:
            path = self._objects.root / name
            with translated(name):
                if path.exists():
                    said.append(f"{name} was moved aside, to {set_aside(path).name}.")
        return said

    def forget(self, source_ids: Iterable[str]) -> None:
        """Let no object hold the tags of these sources any more, older ones neither. Also repairs, as `repair`."""
        if not self._names():
            return
        self.repair()
        gone = set(source_ids)
        newest = self.change(lambda of: {one: tags for one, tags in of.items() if one not in gone})
        self._prune(newest.number - 1, strictly=True)

    def _look(self) -> tuple[Tagged, list[tuple[str, str]]]:
        while True:
            damaged: list[tuple[str, str]] = []
            pruned = False
            for name in reversed(self._names()):
                try:
                    return self._read(name), damaged
                except (Damaged, NotWritable) as error:
                    damaged.append((name, str(error)))
                except NotFound:
                    if not (self._objects.root / name).is_dir():
                        pruned = True  # between the listing and the look, so newer ones are there
                        break
                    damaged.append((name, f"{name} fails its check: it is a folder."))
            if not pruned:
                return Tagged(), damaged

    def _read(self, name: str) -> Tagged:
        body = load_checked(self._objects.get(name), name)
        refuse_newer(body, name)
        try:
            tagged = Tagged(int(body["number"]), {one: tuple(tags) for one, tags in body["tags"].items()})
            whole = all(isinstance(tags, list) for tags in body["tags"].values()) and _well(tagged.of)
        except (KeyError, TypeError, ValueError, AttributeError, TagInvalid) as error:
            raise Damaged(f"{name} fails its check: {error!r} while reading its fields.") from error
        if not whole or not name.endswith(f"/{tagged.number:08d}.json"):
            raise Damaged(f"{name} fails its check: it is not as Ragbook writes tags.")
        return tagged

    def _create(self, number: int, of: ById) -> bool:
        """Whether it was the first of its number."""
        try:
            self._objects.create(f"{self._folder}/{number:08d}.json", Tagged(number, of).to_json())
        except AlreadyExists:
            return False
        return True

    def _prune(self, last: int, *, strictly: bool = False) -> None:
        """Remove the objects up to number `last`. What cannot be is left to the next change, unless `strictly`."""
        for name in self._objects.names(self._folder):
            match = _NUMBERED.fullmatch(name)
            if match and int(match[1]) <= last:
                if strictly:
                    self._objects.delete(name)
                else:
                    with suppress(StoreError):
                        self._objects.delete(name)

    def _next_number(self) -> int:
        names = self._names()
        return int(names[-1].rsplit("/", 1)[1].removesuffix(".json")) + 1 if names else 1

    def _names(self) -> list[str]:
        # A folder under an object's name takes its number.
        folders = [f"{self._folder}/{name}" for name in self._objects.folders(self._folder)]
        return sorted(name for name in [*self._objects.names(self._folder), *folders] if _NUMBERED.fullmatch(name))

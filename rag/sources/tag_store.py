"""The tags of one notebook on the disk, numbered: the newest that passes its check counts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from rag.checked import FORMAT, dump_checked, load_checked, refuse_newer
from rag.errors import Conflict, Damaged, StoreError, TagInvalid
from rag.sources.tags import ById, _well
from rag.storage import layout
from rag.storage.numbered import Numbered
from rag.storage.objects import Objects

_KEPT = 8
"""Objects that are kept, the newest among them: what is damaged is replaced by the one before."""
_ATTEMPTS = 200
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
        self._numbered = Numbered(objects, layout.tags(slug), _parse)

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
        return bool(self._numbered.numbers())

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
            number = self._numbered.next_number()
            newest = self.newest()
            if newest.number >= number:  # one came between the two looks
                continue
            wanted = edit(newest.of)
            if wanted == newest.of:
                return newest
            # Where a newer one is there already, ours may have taken a number that was pruned meanwhile, and so be seen
            # by nobody: then it is done again, which changes nothing where it was seen.
            if (
                self._numbered.create(number, Tagged(number, wanted).to_json())
                and self._numbered.next_number() == number + 1
            ):
                self._prune(number - _KEPT)
                return Tagged(number, wanted)
            time.sleep(random.random() * min(0.1, 0.002 * attempt))  # noqa: S311 so that they do not stay in step
        raise Conflict("Other processes keep changing the tags of this notebook. Try again.")

    def repair(self) -> list[str]:
        """Make the newest tags that pass their check the ones that count; what is damaged is moved aside. Says what was
        done, in sentences; nothing where all is well."""
        while True:
            number = self._numbered.next_number()  # before the look, so that what another writes after it is not undone
            found, damaged = self._look()
            if not damaged:
                return []
            if self._numbered.create(
                number, Tagged(number, found.of).to_json()
            ):  # first: their numbers stay taken until there is a newer one
                break
        said = [f"The tags are again as in the newest object that can be read: {len(found.of):,} sources have some."]
        for name, _ in damaged:
            aside = self._objects.set_aside(name)
            if aside is not None:
                said.append(f"{name} was moved aside, to {aside}.")
        return said

    def forget(self, source_ids: Iterable[str]) -> None:
        """Let no object hold the tags of these sources any more, older ones neither. Also repairs, as `repair`."""
        if not self.any():
            return
        self.repair()
        gone = set(source_ids)
        newest = self.change(lambda of: {one: tags for one, tags in of.items() if one not in gone})
        self._prune(newest.number - 1, strictly=True)

    def _look(self) -> tuple[Tagged, list[tuple[str, str]]]:
        while True:
            damaged: list[tuple[str, str]] = []
            first = self._numbered.numbers()[:1]
            for number, found in self._numbered.newest():
                if isinstance(found, Tagged):
                    return found, damaged
                damaged.append((self._numbered.name(number), str(found)))
            # All were pruned between the listing and the look: newer ones are there then.
            if self._numbered.numbers()[:1] == first:
                return Tagged(), damaged

    def _prune(self, last: int, *, strictly: bool = False) -> None:
        """Remove the objects up to number `last`. What cannot be is left to the next change, unless `strictly`."""
        for number in self._numbered.numbers():
            name = self._numbered.name(number)
            if number <= last and self._objects.exists(name):
                if strictly:
                    self._objects.delete(name)
                else:
                    with suppress(StoreError):
                        self._objects.delete(name)


def _parse(content: bytes, name: str) -> Tagged:
    body = load_checked(content, name)
    refuse_newer(body, name)
    try:
        tagged = Tagged(int(body["number"]), {one: tuple(tags) for one, tags in body["tags"].items()})
        whole = all(isinstance(tags, list) for tags in body["tags"].values()) and _well(tagged.of)
    except (KeyError, TypeError, ValueError, AttributeError, TagInvalid) as error:
        raise Damaged(f"{name} fails its check: {error!r} while reading its fields.") from error
    if not whole or not name.endswith(f"/{layout.numbered(tagged.number)}"):
        raise Damaged(f"{name} fails its check: it is not as Ragbook writes tags.")
    return tagged

"""The snapshots of a notebook: head, history, publish. And the lease: who is building."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.errors import AlreadyExists, Conflict, Damaged, NotFound, NotWritable
from rag.manifest import Manifest, parse_manifest
from rag.storage.objects import Objects

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

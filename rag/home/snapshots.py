"""The snapshots of a notebook: head, history, publish."""

from __future__ import annotations

from collections.abc import Iterator

from rag.errors import Conflict, Damaged, NotFound
from rag.manifest import Manifest, parse_manifest
from rag.storage import layout
from rag.storage.numbered import Numbered
from rag.storage.objects import Objects


class Snapshots:
    """The manifests of one notebook, numbered from 1."""

    def __init__(self, objects: Objects, slug: str) -> None:
        self._numbered = Numbered(objects, layout.manifests(slug), _parse)
        self.numbers = self._numbered.numbers
        self.next_number = self._numbered.next_number
        self.name = self._numbered.name

    def get(self, number: int) -> Manifest:
        """One manifest.

        Raises:
            NotFound: there is no snapshot of that number.
            Damaged: it fails its check.
            NewerFormat: a newer Ragbook wrote it.
        """
        try:
            return self._numbered.get(number)
        except NotFound:
            raise NotFound(f"There is no snapshot {number}.") from None

    def newest(self, below: int | None = None) -> Iterator[Manifest | Damaged]:
        """Manifests from the newest to the oldest; in place of one that fails its check, the reason. Only those of
        numbers under `below`, if given. Each is read when it is asked for.

        Raises:
            NewerFormat: when the iteration meets one.
        """
        for _, found in self._numbered.newest(below):
            yield found

    def head(self) -> Manifest | None:
        """The newest manifest that passes its check."""
        return next((found for found in self.newest() if isinstance(found, Manifest)), None)

    def publish(self, manifest: Manifest) -> None:
        """Create the manifest: the one commit point. Everything it pins must be durable before.

        Raises:
            Conflict: that number was published by another writer in the meantime.
        """
        if not self._numbered.create(manifest.snapshot, manifest.to_json()):
            raise Conflict(f"Snapshot {manifest.snapshot} was published by another writer first.")


def _parse(content: bytes, name: str) -> Manifest:
    manifest = parse_manifest(content, name)
    if not name.endswith(f"/{layout.numbered(manifest.snapshot)}"):
        raise Damaged(f"{name} fails its check: it says that it is snapshot {manifest.snapshot}.")
    return manifest

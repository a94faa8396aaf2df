"""What is wanted of a notebook: its title, its saved settings and the version of its registry of sources.

Numbered objects, create-if-absent, newest valid wins: two writers cannot overwrite each other, and the past stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from rag.errors import AlreadyExists, Conflict, Damaged, NewerFormat
from rag.fingerprint import fingerprint
from rag.manifest import FORMAT, Change, dump_checked, load_checked
from rag.objects import Objects

NO_SOURCES = fingerprint([])


@dataclass(frozen=True)
class State:
    """One state. `registry` is the version of the sources table that is wanted, None before the first source;
    `sources_fp` the fingerprint of what that version lists, and `sources` how many. `pending` are the changes since the
    newest snapshot, at most 50 of them."""

    number: int = 0
    title: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    registry: int | None = None
    sources_fp: str = NO_SOURCES
    sources: int = 0
    pending: tuple[Change, ...] = ()


class States:
    """The states of one notebook."""

    def __init__(self, objects: Objects, slug: str) -> None:
        self._objects = objects
        self._folder = f"notebooks/{slug}/state"
        self.damaged: list[str] = []

    def newest(self) -> State:
        """The newest state that passes its check; the empty one before the first. `damaged` lists those passed over.

        Raises:
            NewerFormat: the newest was written by a newer Ragbook.
        """
        self.damaged = []
        for name in reversed(self._objects.names(self._folder)):
            try:
                return _parse(load_checked(self._objects.get(name), name), name)
            except Damaged as error:
                self.damaged.append(str(error))
        return State()

    def publish(self, state: State) -> State:
        """Publish `state` as the one after the newest number in use.

        Raises:
            Conflict: other writers were faster, several times in a row.
        """
        for _ in range(20):
            names = self._objects.names(self._folder)
            number = int(names[-1].rsplit("/", 1)[1].removesuffix(".json")) + 1 if names else 1
            new = replace(state, number=number)
            body = {
                "format": FORMAT,
                "number": number,
                "title": new.title,
                "settings": dict(new.settings),
                "registry": new.registry,
                "sources_fp": new.sources_fp,
                "sources": new.sources,
                "pending": [asdict(change) for change in new.pending],
            }
            try:
                self._objects.create(f"{self._folder}/{number:08d}.json", dump_checked(body))
            except AlreadyExists:
                continue
            return new
        raise Conflict("Other processes keep changing this notebook. Try again.")


def _parse(body: dict[str, object], name: str) -> State:
    number = body.get("format")
    if isinstance(number, int) and number > FORMAT:
        raise NewerFormat(
            f"{name} has storage format {number}, and this Ragbook knows formats up to {FORMAT}. "
            "Open it with a newer Ragbook; nothing was changed."
        )
    settings, registry, pending = body.get("settings"), body.get("registry"), body.get("pending")
    if not isinstance(settings, dict) or not isinstance(pending, list) or not isinstance(registry, int | None):
        raise Damaged(f"{name} fails its check: a field is missing or of the wrong kind.")
    return State(
        number=int(str(body.get("number"))),
        title=str(body.get("title")),
        settings={str(key): str(value) for key, value in settings.items()},
        registry=registry,
        sources_fp=str(body.get("sources_fp")),
        sources=int(str(body.get("sources"))),
        pending=tuple(Change(**change) for change in pending),
    )

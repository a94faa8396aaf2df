"""What is wanted of a notebook: its title, its saved settings and the version of its registry of sources.

Numbered objects, create-if-absent, newest valid wins: two writers cannot overwrite each other, and the past stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rag.changes import Change
from rag.checked import FORMAT, dump_checked, load_checked, refuse_newer
from rag.errors import Conflict, Damaged
from rag.fingerprint import fingerprint
from rag.manifest import Manifest
from rag.old_sentences import read_pair, saved_pair
from rag.storage import layout
from rag.storage.numbered import Numbered
from rag.storage.objects import Objects

NO_SOURCES = fingerprint([])
_BUSY = "Other processes keep changing this notebook. Try again."


@dataclass(frozen=True)
class State:
    """One state. `registry` is the version of the sources table that is wanted, None before the first source;
    `sources_fp` the fingerprint of what that version lists, and `sources` how many. `pending` are the changes since the
    newest snapshot, at most 50 of them. `damaged`, which is not saved, says of newer states what is wrong with them,
    and `damaged_numbers` which they are."""

    number: int = 0
    title: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    registry: int | None = None
    sources_fp: str = NO_SOURCES
    sources: int = 0
    pending: tuple[Change, ...] = ()
    damaged: tuple[str, ...] = field(default=(), compare=False)
    damaged_numbers: tuple[int, ...] = field(default=(), compare=False)


def only_after(seen: State, edit: Callable[[State], State]) -> Callable[[State], State]:
    """An edit for `States.change` that was worked out from `seen`: it raises Conflict where the wanted sources are
    others by now, and keeps titles and settings that were changed meanwhile."""

    def checked(newest: State) -> State:
        if (newest.registry, newest.sources_fp) != (seen.registry, seen.sources_fp):
            raise Conflict("Another process changed the sources of this notebook. Try again.")
        return edit(newest)

    return checked


class States:
    """The states of one notebook."""

    def __init__(self, objects: Objects, slug: str) -> None:
        self._numbered = Numbered(objects, layout.states(slug), _parse)

    def newest(self) -> State:
        """The newest state that passes its check, with those that were passed over; the empty one before the first.

        Raises:
            NewerFormat: the newest was written by a newer Ragbook.
        """
        damaged: list[str] = []
        numbers: list[int] = []
        newest = State()
        for number, found in self._numbered.newest():
            if isinstance(found, State):
                newest = found
                break
            damaged.append(str(found))
            numbers.append(number)
        return replace(newest, damaged=tuple(damaged), damaged_numbers=tuple(numbers))

    def change(self, edit: Callable[[State], State]) -> State:
        """Publish `edit(newest state)` as the one after it. Where another writer was faster, `edit` is asked again with
        what that one published, so that nobody undoes what others changed meanwhile.

        Raises:
            Conflict: other writers were faster, many times in a row. And whatever `edit` raises.
        """
        for _ in range(20):
            number = self._numbered.next_number()
            newest = self.newest()
            if newest.number >= number:  # one came between the two looks
                continue
            new = replace(edit(newest), number=number, damaged=(), damaged_numbers=())
            if self._numbered.create(number, _written(new)):
                return new
        raise Conflict(_BUSY)


def _written(state: State) -> bytes:
    sentences, codes = saved_pair(state.pending)
    return dump_checked(
        {
            "format": FORMAT,
            "number": state.number,
            "title": state.title,
            "settings": dict(state.settings),
            "registry": state.registry,
            "sources_fp": state.sources_fp,
            "sources": state.sources,
            "pending": sentences,
            "codes": codes,
        }
    )


def behind(state: State, head: Manifest | None) -> bool:
    """Whether `head` was built from a newer state than `state`, the newest that can be read: one is missing then.

    Every wish is written as a newer version of the registry than the one before it. So a snapshot of other sources
    that was built from a newer registry than the state asks for was not built from that state or an earlier one. One
    that does not say what it was built from is judged by the version its results are in, which is newer still.
    """
    if head is None or head.sources_fp == state.sources_fp:
        return False
    built_from = head.tables["sources"].version if head.registry is None else head.registry
    return state.registry is None or state.registry < built_from


def newest_registry(state: State, head: Manifest | None) -> int | None:
    """The version of the sources table that has the newest wishes, and the newest results where they are of these.

    The results are the newer version as a rule. But a wish that was recorded while `head` was published is in neither
    them nor what they were built from.
    """
    if head is None or state.registry is None:
        return head.tables["sources"].version if head else state.registry
    if head.registry is not None and state.registry > head.registry and state.sources_fp != head.sources_fp:
        return state.registry
    return max(state.registry, head.tables["sources"].version)


def _parse(content: bytes, name: str) -> State:
    body = load_checked(content, name)
    refuse_newer(body, name)
    settings, registry, pending = body.get("settings"), body.get("registry"), body.get("pending")
    if not isinstance(settings, dict) or not isinstance(pending, list) or not isinstance(registry, int | None):
        raise Damaged(f"{name} fails its check: a field is missing or of the wrong kind.")
    try:
        state = State(
            number=int(str(body["number"])),
            title=str(body["title"]),
            settings={str(key): str(value) for key, value in settings.items()},
            registry=registry,
            sources_fp=str(body["sources_fp"]),
            sources=int(str(body["sources"])),
            pending=read_pair(pending, body.get("codes")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(f"{name} fails its check: {error!r} while reading its fields.") from error
    if not name.endswith(f"/{layout.numbered(state.number)}"):
        raise Damaged(f"{name} fails its check: it says that it is state {state.number}.")
    return state

"""Into the list of sources that is wanted, and out of it: files are kept and listed with their tags, or taken out, and
the index is brought to it.

The order is the promise. An original is in the home before the list names it, and the list is written before the state
that pins it is: a crash leaves files that nobody names, never a name without its file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from rag.building.paying import MakeEmbedder
from rag.building.pipeline import build_held
from rag.building.results import of_this_call
from rag.changes import Change, Code, change
from rag.config import Config
from rag.errors import Conflict, ReadError
from rag.home.place import Place
from rag.home.state import State, newest_registry, only_after
from rag.home.tagged import refuse_given, refuse_unknown, tag_added
from rag.manifest import Manifest
from rag.outcome import Outcome
from rag.progress import UNWATCHED, Event, Stage, Watch
from rag.sources import rows
from rag.sources.incoming import Incoming, name_in_batch, origin_of
from rag.sources.names import safe_name
from rag.sources.rows import Given, SourceRow
from rag.storage.stamp import now

_PENDING = 50
"""Most changes that a state lists."""


def add(
    place: Place,
    config: Config,
    make_embedder: MakeEmbedder,
    incoming: Sequence[Incoming],
    *,
    refused: Sequence[tuple[str, str]] = (),
    watch: Watch = UNWATCHED,
) -> Outcome:
    """Keep the originals, register the sources, build and publish.

    `refused` (name, reason) were given too, and turned down before they came here. A file that cannot be kept or
    read is in the outcome's failures, with the reason; the others go in. When none of the given files could be
    read, the verdict is FAILED.

    Raises:
        Busy, Cancelled, SpaceRefused, ModelError, StoreError: as `pipeline.build`.
        TagInvalid, Damaged: the tags that were given cannot be kept; nothing was added.
    """
    started = time.monotonic()
    with place.held(watch):
        place.states.newest()  # refuse what a newer Ragbook wrote, before anything is kept
        place.snapshots.head()
        refuse_given(place, incoming)
        kept = _keep(place, incoming, watch)
        given = list(kept.given.values())
        before = {row.source_id for row in place.wanted_sources()}
        _persistently(lambda: register(place, given))
        tag_added(place, before, kept.tags)
        outcome = build_held(place, config, make_embedder, watch, frozenset(one.digest for one in given))
    turned_down = [(safe_name(name), reason) for name, reason in refused]
    return of_this_call(outcome, given, [*turned_down, *kept.refused], time.monotonic() - started)


def receive(place: Place, name: str, content: bytes, tags: tuple[str, ...] = ()) -> Incoming:
    """Keep the bytes of a file that is to be added, so that whoever holds them can let go of them at once. What is not
    added in the hour after is garbage.

    Raises:
        SourceTooLarge: more than a source may have.
        StoreError: the home cannot be written, or a newer Ragbook wrote it.
    """
    place.states.newest()
    place.snapshots.head()
    digest, size = place.originals.keep(content)
    return Incoming(name, path=place.originals.path(digest), uploaded=True, kept=(digest, size), tags=tags)


def remove(
    place: Place,
    config: Config,
    make_embedder: MakeEmbedder,
    names: Sequence[str],
    *,
    watch: Watch = UNWATCHED,
) -> Outcome:
    """Take sources out of the next snapshot. Their originals and older snapshots stay.

    Raises:
        NotFound: no such notebook, or a name that is not in it; nothing was removed.
        Busy, Cancelled, SpaceRefused, ModelError, StoreError: as `pipeline.build`.
    """
    place.must_exist()
    with place.held(watch):
        _persistently(lambda: _unregister(place, names))
        return build_held(place, config, make_embedder, watch)


def register(place: Place, given: Sequence[Given]) -> None:
    """Put files whose originals are kept into the list of sources that is wanted. Builds nothing.

    Raises:
        Conflict: somebody without the lease changed it at the same moment.
    """
    state, head = place.states.newest(), place.snapshots.head()
    base = newest_registry(state, head)
    registration = rows.register(place.registry.rows(base), given, when=now())
    changes = [change(Code.ADDED, source=name) for name in registration.added]
    changes += [change(Code.CHANGED, source=name) for name in registration.changed]
    changes += [change(Code.RENAMED, before=old, after=new) for old, new in registration.renamed]
    _publish(place, state, head, registration.rows, base, changes)


@dataclass
class _Kept:
    """Files whose originals are kept, by the name each got; the tags that came with each; and those that could not be
    kept, with the reason."""

    given: dict[str, Given] = field(default_factory=dict)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)


def _keep(place: Place, incoming: Sequence[Incoming], watch: Watch) -> _Kept:
    kept = _Kept()
    for done, one in enumerate(incoming):
        if watch.cancelled():
            break
        name = safe_name(one.name)
        try:
            if one.kept is not None and place.originals.renewed(*one.kept):
                digest, size = one.kept
            else:
                digest, size = place.originals.keep(one.path if one.path is not None else one.content or b"")
        except ReadError as error:
            kept.refused.append((name, str(error)))
        except OSError as error:
            reason = f"It cannot be opened: {error.strerror or error}. Check that it is still there."
            kept.refused.append((name, reason))
        else:
            origin = origin_of(one)
            name = name_in_batch(name, digest, origin, kept.given)
            kept.given[name] = Given(name, digest, size, origin)
            kept.tags[name] = (*kept.tags.get(name, ()), *one.tags)
        watch.on_event(Event(Stage.STORE, done + 1, len(incoming), name))
    return kept


def _unregister(place: Place, names: Sequence[str]) -> None:
    state, head = place.states.newest(), place.snapshots.head()
    base = newest_registry(state, head)
    listed = place.registry.rows(base)
    refuse_unknown(names, {row.name for row in listed})
    rest = [row for row in listed if row.name not in set(names)]
    _publish(place, state, head, rest, base, [change(Code.REMOVED, source=name) for name in names])


def _publish(
    place: Place,
    state: State,
    head: Manifest | None,
    wanted: Sequence[SourceRow],
    base: int | None,
    changes: Sequence[Change],
) -> None:
    """Write the list, then the state that pins it."""
    registry = place.registry
    if list(wanted) == registry.rows(base) and registry.fingerprint(base) == state.sources_fp:
        return
    version = registry.write(wanted, base)
    fingerprint = registry.fingerprint(version)
    pending = () if head is not None and head.sources_fp == state.sources_fp else state.pending

    def wish(newest: State) -> State:
        return replace(
            newest,
            registry=version,
            sources_fp=fingerprint,
            sources=len(wanted),
            pending=(*pending, *changes)[:_PENDING],
        )

    place.states.change(only_after(state, wish))


def _persistently(register: Callable[[], None]) -> None:
    """Change the wanted sources, again where somebody without the lease changed them at the same moment."""
    for _ in range(4):
        with suppress(Conflict):
            return register()
    return register()

"""What a notebook wants, and what is left of it where its lists are damaged."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rag.errors import Damaged, StoreError, StoreUnavailable
from rag.home.evidence import gather
from rag.home.place import Place
from rag.home.state import State, behind, only_after
from rag.manifest import Manifest
from rag.sources.rows import SourceRow, registry_fingerprint
from rag.storage.aside import set_aside
from rag.storage.failures import translated
from rag.tables.lance_files import latest_version

_LOOKED_BACK = 200
_LATEST = 2**64 - 1
_LAST = "What was added or removed last may be lost: add or remove it again."


@dataclass(frozen=True)
class Wanted:
    """What a notebook wants, as far as that can be told: the sources, the version of the registry they are from (None
    when no version can be read), and what may be lost, in a sentence ("" when nothing is)."""

    rows: tuple[SourceRow, ...]
    version: int | None
    lost: str = ""


def find_wanted(place: Place, state: State, head: Manifest | None) -> Wanted | None:
    """What is wanted, where the newest state or its registry is damaged; None where both are well. Changes nothing.

    `state` is the newest that can be read, and tells of newer ones that cannot; `head` is the newest intact snapshot.

    Raises:
        Damaged: nothing is left that tells what was wanted.
    """
    state_lost = bool(state.damaged) or behind(state, head)
    version, wanted_fp = state.registry, state.sources_fp
    if head is not None and behind(state, head):
        version, wanted_fp = head.tables["sources"].version, head.sources_fp
    newest = latest_version(place.registry.path)  # first: whoever reads an older one moves a torn one aside
    rows = _rows(place, version, wanted_fp)
    if rows is not None and not state_lost:
        return None
    if rows is not None:
        later = rows if newest in (None, version) else _rows(place, newest, None)
        if later is None:
            return Wanted(tuple(rows), version, _LAST)
        # More sources are the rest of an add that got no further than here; fewer may be half a commit.
        more = {row.source_id for row in rows} <= {row.source_id for row in later}
        return Wanted(tuple(later), newest) if more else Wanted(tuple(rows), version)
    manifests = [found for found in place.snapshots.newest() if isinstance(found, Manifest)]
    pinned = {one.tables["sources"].version: one.sources_fp for one in manifests}
    base: int | None = None
    older: list[SourceRow] = []
    last = max([newest or 0, *pinned])
    for candidate in range(last, max(0, last - _LOOKED_BACK), -1):
        found = _rows(place, candidate, pinned.get(candidate))
        if found and wanted_fp == registry_fingerprint(found):
            return Wanted(tuple(found), candidate, _LAST if state_lost else "")
        if found and base is None:
            base, older = candidate, found
    target = wanted_fp if not state.damaged else next(iter(pinned.values()), wanted_fp)
    rows, proved = gather(place, manifests, state, older, target)
    if not rows:
        raise Damaged("No list of the sources can be read, and nothing tells their names. Add the files again.")
    return Wanted(tuple(rows), base, "" if proved else "Sources that are not in it have to be added again.")


def restore_wanted(place: Place, state: State, wanted: Wanted) -> State:
    """Write what `find_wanted` found as the newest registry and state. Call with the lease held. Gives the state.

    Raises:
        Conflict: somebody without the lease added or removed sources since `state` was read.
    """
    version = _written(place, wanted)
    found = registry_fingerprint(wanted.rows)

    def restored(newest: State) -> State:
        return replace(newest, registry=version, sources_fp=found, sources=len(wanted.rows), pending=())

    return place.states.change(only_after(state, restored))


def _written(place: Place, wanted: Wanted) -> int:
    folder = place.registry.path
    if wanted.version is None:
        with translated(folder.name):
            if folder.exists():
                set_aside(folder)
        return place.registry.write(wanted.rows, None)
    while True:
        try:
            return place.registry.write(wanted.rows, wanted.version)
        except (Damaged, StoreUnavailable):
            newest = latest_version(folder)
            if newest is None or newest <= wanted.version:
                raise
            with translated(folder.name):  # Lance opens a table through its newest version only
                set_aside(folder / "_versions" / f"{_LATEST - newest:020d}.manifest")


def _rows(place: Place, version: int | None, expected: str | None) -> list[SourceRow] | None:
    """The sources of a version, where they can be read, are the expected ones, and have their originals or had."""
    try:
        rows = place.registry.rows(version)
    except StoreError:
        return None
    if expected is None:
        return rows if all(place.originals.path(row.digest).exists() for row in rows) else None
    return rows if place.registry.fingerprint(version) == expected else None

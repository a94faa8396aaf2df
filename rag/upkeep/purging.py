"""Purge: take sources out of everything under the home, so that no file holds their text, name or vectors any more.

Removing a source leaves it in older snapshots, the vector cache and the originals; purging does not. Tables that held
it are written anew, because Lance only marks rows as deleted. What is lost on the way is said before it is done.

What tells where a source lies (the manifests) goes last, and until all is done `lease/purge.json` names what was asked
for: so a purge that was killed anywhere is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from rag.changes import Code, change
from rag.checked import dump_checked
from rag.config import Config
from rag.errors import Busy, RagbookError
from rag.home.pinning import pin, verify
from rag.home.place import Place
from rag.home.retiring import unkeep
from rag.home.state import State, newest_registry, only_after
from rag.manifest import Counts, Receipt, Verdict, VerdictName
from rag.outcome import ChunkCounts, Outcome, SourceCounts
from rag.sources.rows import SourceRow, registry_fingerprint
from rag.storage import layout
from rag.storage.objects import TEMPORARY
from rag.storage.stamp import now, writer_name
from rag.tables.vectors import VectorCache
from rag.text.counting import count
from rag.upkeep.belonging import Shelf
from rag.upkeep.garbage import GRACE_SECONDS, Garbage, collect, find
from rag.upkeep.purge_plan import (
    PurgePlan,
    digests_of,
    note_name,
    others_of,
    planned_purge,
    registries,
    rows_of,
    shared_by_others,
    unfinished,
)


def purge(
    place: Place, names: Sequence[str], config: Config | None = None, *, wait_seconds: float = 60
) -> tuple[PurgePlan, Outcome]:
    """Do it. A new snapshot without the sources is published first; then everything that held them goes.

    Killed half-way, the new snapshot is complete, and purging again finishes the rest.

    Raises:
        NotFound, Damaged: as `plan_purge`; no such notebook.
        Busy: another process is building, in this notebook or another of the workspace, or importing one.
        RagbookError: somebody is reading a snapshot that would go.
    """
    place.must_exist()
    with _alone(place, wait_seconds):
        names = sorted({*names, *unfinished(place)})
        planned, shelves = planned_purge(place, names, config or Config())
        reading = place.read_now() & set(planned.forgotten)
        if reading:
            raise RagbookError(f"Snapshot {min(reading)} is being read by another process. Purge when it has finished.")
        _refuse_what_cannot_be_collected(find(place))
        rows = rows_of(place, set(names))
        shared = {digest for digests in shared_by_others(place, rows).values() for digest in digests}
        ids = {row.source_id for row in rows}
        _note(place, names)
        outcome = _publish_without(place, ids, len(planned.names))
        _rewrite_states(place)
        place.tags.forget(ids)
        for cell in planned.cells:
            place.objects.delete(layout.cells(place.slug, cell))
        _purge_caches(shelves)
        _purge_originals(place, rows, shared, planned.forgotten)
        _purge_set_aside(place)
        for number in planned.forgotten:
            unkeep(place, number)
            place.objects.delete(place.snapshots.name(number))
    # Outside the lease, which collecting takes itself. No grace here: what is unneeded now held what must go. Elsewhere
    # others may be adding at this moment.
    _refuse_what_cannot_be_collected(
        collect(place, grace_seconds=-1.0, grace_elsewhere=GRACE_SECONDS, wait_seconds=wait_seconds)
    )
    place.objects.delete(note_name(place))
    return planned, outcome


@contextmanager
def _alone(place: Place, wait_seconds: float) -> Iterator[None]:
    """Hold the lease of every notebook of the workspace, because they share the originals and the vector caches, and
    let no import bring another one."""
    with ExitStack() as held:
        held.enter_context(place.alone(wait_seconds=wait_seconds))
        for one in sorted(
            [place, *others_of(place)], key=lambda each: each.slug
        ):  # in one order: no two wait in a ring
            try:
                held.enter_context(one.lease(wait_seconds=wait_seconds))
            except Busy as error:
                if one is place:
                    raise
                raise Busy(
                    f"Notebook {one.slug} is being built, and purging needs the whole workspace. {error}"
                ) from error
        yield


def _refuse_what_cannot_be_collected(found: Garbage) -> None:
    """Files that stay may hold what must go: then the purge is not done, and must not say so."""
    if found.blocked:
        raise RagbookError(f"The purge is not done. {found.blocked} Then purge again.")
    if found.kept_for_readers:
        number = min(found.kept_for_readers)
        raise RagbookError(f"Snapshot {number} is being read by another process. Purge when it has finished.")


def _note(place: Place, names: Sequence[str]) -> None:
    if set(names) == unfinished(place):
        return
    place.objects.delete(note_name(place))
    place.objects.create(note_name(place), dump_checked({"names": list(names)}))


def _publish_without(place: Place, ids: set[str], purged: int) -> Outcome:
    """A new snapshot of the newest one's recipe without the sources, in tables written anew. What is wanted and not
    built yet stays wanted."""
    head = place.snapshots.head()
    state = place.states.newest()
    pinned_version = head.tables["sources"].version if head else None
    base = newest_registry(state, head)
    built = place.registry.rows(pinned_version)
    wished = built if base == pinned_version else place.registry.rows(base)
    rest = [row for row in built if row.source_id not in ids]
    wanted = [row for row in wished if row.source_id not in ids]
    if head is None:
        version = place.registry.rewrite(wanted)
        place.states.change(_without(state, version, wanted))
        verdict = Verdict(VerdictName.UPDATED, f"Purged {count(purged, 'source')}. No index was built yet.")
        return Outcome(verdict, SourceCounts(removed=purged), ChunkCounts())
    version = place.registry.rewrite(rest)
    sources_fp = registry_fingerprint(rest)
    pinned = head.tables["chunks"]
    table = place.chunks(head, newest=True)
    if table.version != pinned.version:
        table.restore(pinned.version)
    table.rewrite_without(sorted(ids))
    chunks = sum(row.chunks for row in rest)
    verify(table, chunks, ())
    failed = [row for row in rest if row.state == "failed"]
    manifest = replace(
        head,
        snapshot=place.snapshots.next_number(),
        parent=None,
        created=now(),
        writer=writer_name(),
        verdict=VerdictName.UPDATED,
        sources_fp=sources_fp,
        counts=Counts(sum(1 for row in rest if row.built_digest), len(failed), chunks),
        tables={
            "chunks": pin(place, table.path, table.version, table.count, None),
            "sources": pin(place, place.registry.path, version, len(rest), None),
        },
        receipt=Receipt(saved_texts=chunks),
        changes=(change(Code.PURGED, sources=purged),),
        failures=tuple(failure for failure in head.failures if failure.name in {row.name for row in failed}),
        state=None,  # of no state yet: what is wanted still names what was purged
        registry=None,
    )
    place.snapshots.publish(manifest)
    if wanted != rest:
        version = place.registry.rewrite(wanted)
    place.states.change(_without(state, version, wanted))
    sentence = (
        f"Purged {count(purged, 'source')}: snapshot {manifest.snapshot} has {count(chunks, 'chunk')} from "
        f"{count(manifest.counts.sources, 'source')}. No model was called."
    )
    return Outcome(
        Verdict(VerdictName.UPDATED, sentence, "", manifest.snapshot, manifest.changes, manifest.receipt),
        SourceCounts(total=manifest.counts.sources, unchanged=manifest.counts.sources, removed=purged),
        ChunkCounts(chunks, 0, chunks),
        space=manifest.space_fp,
        recipe=manifest.recipe_fp,
    )


def _without(seen: State, version: int, rows: Sequence[SourceRow]) -> Callable[[State], State]:
    wanted = registry_fingerprint(rows)
    return only_after(
        seen, lambda newest: replace(newest, registry=version, sources_fp=wanted, sources=len(rows), pending=())
    )


def _rewrite_states(place: Place) -> None:
    """Older states name sources in what was pending; only the newest counts."""
    names = place.objects.names(layout.states(place.slug))
    for name in names[:-1]:
        place.objects.delete(name)


def _purge_caches(shelves: Sequence[Shelf]) -> None:
    """Also where nothing is to go: an append that was killed leaves vectors in files of no version."""
    for shelf in shelves:
        VectorCache(shelf.folder, shelf.dimensions).rewrite_without(shelf.dropped())


def _purge_originals(place: Place, rows: Sequence[SourceRow], shared: set[str], forgotten: Collection[int]) -> None:
    """Originals of the purged sources, unless another source of the workspace has the same bytes."""
    staying = {digest for left in registries(place, forgotten) for row in left for digest in digests_of(row)}
    for digest in {digest for row in rows for digest in digests_of(row)} - staying - shared:
        place.objects.delete(place.originals.name(digest))


def _purge_set_aside(place: Place) -> None:
    """What was moved aside as damaged, or left by an import, a deletion or an add that was killed, may hold anything:
    all of it goes. No add and no import is under way, because we are alone."""
    files = place.files
    for pattern in ("*.damaged*", "*.torn", "damaged-*.lance", ".tmp-import-*", ".tmp-deleted-*"):
        names = list(files.found("", pattern))
        for folder in (layout.notebook(place.slug), layout.SPACES, layout.ORIGINALS, layout.NOTEBOOKS):
            names += files.found(folder, f"**/{pattern}")
        for name in names:
            files.remove(name)
    for folder in (layout.ORIGINALS, layout.SPACES):
        for name in list(files.found(folder, f"**/{TEMPORARY}*")):
            files.remove(name)

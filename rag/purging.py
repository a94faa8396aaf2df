"""Purge: take sources out of everything under the home, so that no file holds their text, name or vectors any more.

Removing a source leaves it in older snapshots, the vector cache and the originals; purging does not. Tables that held
it are written anew, because Lance only marks rows as deleted. What is lost on the way is said before it is done.

What tells where a source lies (the manifests) goes last, and until all is done `lease/purge.json` names what was asked
for: so a purge that was killed anywhere is finished by the next one.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from rag.arrivals import by_turns
from rag.belonging import Shelf, sort_out
from rag.cells import Cells
from rag.config import Config
from rag.errors import Busy, Damaged, NotFound, RagbookError
from rag.garbage import GRACE_SECONDS, Garbage, collect, find
from rag.history import unkeep
from rag.manifest import Change, Counts, Manifest, Receipt, Verdict, VerdictName, dump_checked, load_checked
from rag.marks import read_now
from rag.objects import TEMPORARY, translated
from rag.outcome import ChunkCounts, Outcome, SourceCounts, count
from rag.pinning import pin, verify
from rag.place import Place
from rag.planner import SourceRow, registry_fingerprint
from rag.snapshots import lease, now, writer_name
from rag.state import State, newest_registry, only_after
from rag.tables import ChunkTable
from rag.vectors import VectorCache


@dataclass(frozen=True)
class PurgePlan:
    """What a purge would take along: `forgotten` snapshots held the sources or name them, `cells` quote them, and
    `shared` names other notebooks that have the same bytes, so that the original and its vectors stay for them.

    `same_text` names notebooks, also this one, where other files have some of the same text: its vectors stay. So many
    cached `vectors` go; nothing accounts for `unknown` of them, so nobody can say that they are not of the sources."""

    names: tuple[str, ...]
    chunks: int
    forgotten: tuple[int, ...]
    cells: tuple[str, ...]
    shared: tuple[str, ...]
    same_text: tuple[str, ...] = ()
    vectors: int = 0
    unknown: int = 0

    @property
    def sentence(self) -> str:
        """What will be gone, for asking before it is."""
        parts = [count(len(self.names), "source"), count(self.chunks, "chunk")]
        sentence = f"This removes {' with '.join(parts)} from every file of the home, for good."
        if self.forgotten:
            sentence += f" {count(len(self.forgotten), 'older snapshot')} held or named them and will be forgotten."
        if self.cells:
            sentence += f" {count(len(self.cells), 'answer')} that quote or name them will be deleted."
        if self.shared:
            sentence += f" The same files are also in {', '.join(self.shared)}: there they stay."
        if self.same_text:
            sentence += f" Other files in {', '.join(self.same_text)} have some of the same text: its vectors stay."
        if self.unknown:
            sentence += (
                f" {count(self.unknown, 'cached vector')} that no source accounts for any more may be of them, and go "
                "too: adding that text again would be paid for again."
            )
        return sentence


def plan_purge(place: Place, names: Sequence[str], config: Config | None = None) -> PurgePlan:
    """What purging these sources would do. Changes nothing. `config` has the settings of an unfinished build, if any.

    Raises:
        NotFound: a name that no snapshot and no registry of the notebook knows.
        Damaged: a manifest cannot be read, so nobody can say what it holds.
    """
    return _planned(place, names, config or Config())[0]


def _planned(place: Place, names: Sequence[str], config: Config) -> tuple[PurgePlan, list[Shelf]]:
    rows = _rows_of(place, set(names))
    missing = set(names) - {row.name for row in rows} - _unfinished(place)
    if missing:
        raise NotFound(f"There is no source {sorted(missing)[0]!r} in this notebook or its history.")
    ids = {row.source_id for row in rows}
    known = _known_names(place, set(names), rows)
    named = _naming(known, rows)
    forgotten = [
        manifest.snapshot for manifest in _manifests(place) if _holds(place, manifest, ids) or named(manifest.to_json())
    ]
    head = place.snapshots.head()
    chunks = 0 if head is None else _count_chunks(place, head, ids)
    cells = [
        name.rsplit("/", 1)[1].removesuffix(".json")
        for name in place.objects.names(f"notebooks/{place.slug}/cells")
        if named(place.objects.get(name))
    ]
    dangling = _dangling(place, ids)
    shared = _shared(place, rows)
    digests = {digest for found in shared.values() for digest in found}
    shelves = sort_out(
        place,
        [place, *_others(place)],
        lambda one: (row for version in _registries(one) for row in version),
        lambda source_id, digest: source_id in ids and digest not in digests,
        config,
    )
    planned = PurgePlan(
        tuple(sorted(set(names))),
        chunks,
        tuple(forgotten),
        tuple(sorted({*cells, *dangling})),
        tuple(shared),
        tuple(sorted(set().union(*(shelf.sharing() for shelf in shelves)) - set(shared))),
        sum(len(shelf.dropped()) for shelf in shelves),
        sum(len(shelf.open()) for shelf in shelves),
    )
    return planned, shelves


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
        names = sorted({*names, *_unfinished(place)})
        planned, shelves = _planned(place, names, config or Config())
        reading = read_now(place.folder) & set(planned.forgotten)
        if reading:
            raise RagbookError(f"Snapshot {min(reading)} is being read by another process. Purge when it has finished.")
        _refuse_what_cannot_be_collected(find(place))
        rows = _rows_of(place, set(names))
        shared = {digest for digests in _shared(place, rows).values() for digest in digests}
        ids = {row.source_id for row in rows}
        _note(place, names)
        outcome = _publish_without(place, ids, len(planned.names))
        _rewrite_states(place)
        place.tags.forget(ids)
        for cell in planned.cells:
            place.objects.delete(f"notebooks/{place.slug}/cells/{cell}.json")
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
    place.objects.delete(_note_name(place))
    return planned, outcome


@contextmanager
def _alone(place: Place, wait_seconds: float) -> Iterator[None]:
    """Hold the lease of every notebook of the workspace, because they share the originals and the vector caches, and
    let no import bring another one."""
    with ExitStack() as held:
        held.enter_context(by_turns(place.objects.root, wait_seconds=wait_seconds))
        for one in sorted([place, *_others(place)], key=lambda each: each.slug):  # in one order: no two wait in a ring
            try:
                held.enter_context(lease(one.folder, wait_seconds=wait_seconds))
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


def _note_name(place: Place) -> str:
    return f"notebooks/{place.slug}/lease/purge.json"


def _unfinished(place: Place) -> set[str]:
    """Names that a purge was asked for that did not come to its end."""
    try:
        body = load_checked(place.objects.get(_note_name(place)), "purge.json")
    except (NotFound, Damaged):
        return set()
    return {str(name) for name in body.get("names", ())}


def _note(place: Place, names: Sequence[str]) -> None:
    if set(names) == _unfinished(place):
        return
    place.objects.delete(_note_name(place))
    place.objects.create(_note_name(place), dump_checked({"names": list(names)}))


def _manifests(place: Place) -> list[Manifest]:
    manifests = []
    for found in place.snapshots.newest():
        if isinstance(found, Damaged):
            raise Damaged(f"{found} Nobody can say whether it holds what is to be purged: run doctor --repair first.")
        manifests.append(found)
    return manifests


def _rows_of(place: Place, names: set[str]) -> list[SourceRow]:
    """Every row of every pinned or wanted registry that has one of the names or had one of their ids. Where a source
    has a name now, one that had it before and goes by another is not meant."""
    versions = {manifest.tables["sources"].version for manifest in _manifests(place)}
    wanted = place.states.newest().registry
    versions |= {wanted} if wanted is not None else set()
    every = [row for version in sorted(versions) for row in place.registry.rows(version)]
    today = {row.source_id: row.name for row in place.registry.rows(wanted)}
    bearers = set(today.values())
    ids = {
        row.source_id
        for row in every
        if row.name in names and (row.name not in bearers or today.get(row.source_id, row.name) == row.name)
    }
    return [row for row in every if row.source_id in ids]


def _naming(names: set[str], rows: Sequence[SourceRow]) -> Callable[[bytes], bool]:
    """Whether a JSON object betrays a source, by one of these names or its id. `data.txt` does not name `a.txt`."""
    words = names | {row.source_id for row in rows}
    escaped = (re.escape(json.dumps(word, ensure_ascii=False)[1:-1]) for word in sorted(words))
    pattern = re.compile("|".join(rf"(?<!\w){word}(?!\w)" for word in escaped))
    return lambda content: pattern.search(content.decode("utf-8", "replace")) is not None


def _known_names(place: Place, names: set[str], rows: Sequence[SourceRow]) -> set[str]:
    """These names and those that the sources had before: kept answers tell them by id, rows and manifests in words."""
    ids = {row.source_id for row in rows}
    found = names | {row.name for row in rows}
    found |= {match[1] for row in rows if (match := re.match(r"was (.+): nothing embedded$", row.why))}
    for cell in Cells(place.objects, place.slug).all():
        found |= {passage.source for passage in cell.answer.passages if passage.source_id in ids}
    state = place.states.newest()
    changes = [change for manifest in _manifests(place) for change in manifest.changes]
    for change in [*reversed(state.pending), *changes]:  # newest first, so that a chain of names is followed
        if change.what == "renamed" and change.after in found and change.before:
            found.add(change.before)
    # A name that another source has today is that one's: what it tells of is not ours to take.
    return names | (found - {row.name for row in place.registry.rows(state.registry) if row.source_id not in ids})


def _dangling(place: Place, ids: set[str]) -> set[str]:
    """Kept answers that name, beside a passage, a source that nothing knows any more: after a rename whose snapshots
    are forgotten it may be a purged one."""
    cells = Cells(place.objects, place.slug).all()
    known = {row.name for rows in _registries(place) for row in rows if row.source_id not in ids}
    known |= {one.source for cell in cells for one in cell.answer.passages if one.source_id not in ids}
    return {cell.id for cell in cells for one in cell.answer.passages if any(name not in known for name in one.also_in)}


def _holds(place: Place, manifest: Manifest, ids: set[str]) -> bool:
    return any(row.source_id in ids for row in place.registry.rows(manifest.tables["sources"].version))


def _open(place: Place, manifest: Manifest) -> ChunkTable:
    pinned = manifest.tables["chunks"]
    path = place.folder / pinned.path
    return ChunkTable.open(path.parent, path.stem, pinned.version)


def _count_chunks(place: Place, manifest: Manifest, ids: set[str]) -> int:
    return sum(1 for source_id in _open(place, manifest).reader().source_ids() if source_id in ids)


def _registries(place: Place, but: Collection[int] = ()) -> Iterator[list[SourceRow]]:
    """The rows of every version that is pinned, by other snapshots than `but`, or wanted."""
    wanted = place.states.newest().registry
    pinned = {one.tables["sources"].version for one in _manifests(place) if one.snapshot not in but}
    for version in (pinned | {wanted}) - {None}:
        yield place.registry.rows(version)


def _others(place: Place) -> Iterator[Place]:
    for slug in place.objects.folders("notebooks"):
        if slug != place.slug:
            yield Place(place.objects, slug)


def _digests(row: SourceRow) -> set[str]:
    return {row.digest, row.built_digest} - {""}


def _shared(place: Place, rows: Sequence[SourceRow]) -> dict[str, set[str]]:
    """Other notebooks that have some of the same bytes, now or in a snapshot they could go back to, and which."""
    ours = {digest for row in rows for digest in _digests(row)}
    found = {}
    for other in _others(place):
        both = ours & {digest for version in _registries(other) for row in version for digest in _digests(row)}
        if both:
            found[other.slug] = both
    return found


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
    path = place.folder / pinned.path
    table = ChunkTable.open(path.parent, path.stem)
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
        changes=(Change("purged", None, count(purged, "source")),),
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
    names = place.objects.names(f"notebooks/{place.slug}/state")
    for name in names[:-1]:
        place.objects.delete(name)


def _purge_caches(shelves: Sequence[Shelf]) -> None:
    """Also where nothing is to go: an append that was killed leaves vectors in files of no version."""
    for shelf in shelves:
        VectorCache(shelf.folder, shelf.dimensions).rewrite_without(shelf.dropped())


def _purge_originals(place: Place, rows: Sequence[SourceRow], shared: set[str], forgotten: Collection[int]) -> None:
    """Originals of the purged sources, unless another source of the workspace has the same bytes."""
    staying = {digest for left in _registries(place, forgotten) for row in left for digest in _digests(row)}
    for digest in {digest for row in rows for digest in _digests(row)} - staying - shared:
        place.objects.delete(place.originals.name(digest))


def _purge_set_aside(place: Place) -> None:
    """What was moved aside as damaged, or left by an import, a deletion or an add that was killed, may hold anything:
    all of it goes. No add and no import is under way, because we are alone."""
    root = place.objects.root
    for pattern in ("*.damaged*", "*.torn", "damaged-*.lance", ".tmp-import-*", ".tmp-deleted-*"):
        for folder in (place.folder, root / "spaces", root / "originals", root / "notebooks", root):
            for path in list(folder.rglob(pattern) if folder != root else folder.glob(pattern)):
                with translated(path.name):
                    if path.is_dir():
                        shutil.rmtree(path)
                    else:
                        path.unlink(missing_ok=True)
    for folder in (root / "originals", root / "spaces"):
        for path in list(folder.rglob(f"{TEMPORARY}*")):
            with translated(path.name):
                path.unlink(missing_ok=True)

"""Purge: take sources out of everything under the home, so that no file holds their text, name or vectors any more.

Removing a source leaves it in older snapshots, the vector cache and the originals; purging does not. Tables that held
it are written anew, because Lance only marks rows as deleted. What is lost on the way is said before it is done.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rag.errors import Damaged, NotFound, RagbookError
from rag.garbage import collect
from rag.history import kept, unkeep
from rag.manifest import Change, Counts, Manifest, Receipt, Verdict, VerdictName
from rag.marks import read_now
from rag.objects import translated
from rag.outcome import ChunkCounts, Outcome, SourceCounts, count
from rag.pinning import pin, verify
from rag.place import Place
from rag.planner import SourceRow, registry_fingerprint
from rag.snapshots import lease, now, writer_name
from rag.spaces import Space
from rag.state import State
from rag.tables import ChunkTable
from rag.vectors import VectorCache


@dataclass(frozen=True)
class PurgePlan:
    """What a purge would take along: `forgotten` snapshots held the sources or name them, `cells` quote them, and
    `shared` names other notebooks that have the same bytes, so that the original and its vectors stay for them."""

    names: tuple[str, ...]
    chunks: int
    forgotten: tuple[int, ...]
    cells: tuple[str, ...]
    shared: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What will be gone, for asking before it is."""
        parts = [count(len(self.names), "source"), count(self.chunks, "chunk")]
        sentence = f"This removes {' with '.join(parts)} from every file of the home, for good."
        if self.forgotten:
            sentence += f" {count(len(self.forgotten), 'older snapshot')} held or named them and will be forgotten."
        if self.cells:
            sentence += f" {count(len(self.cells), 'answer')} that quote them will be deleted."
        if self.shared:
            sentence += f" The same files are also in {', '.join(self.shared)}: there they stay."
        return sentence


def plan_purge(place: Place, names: Sequence[str]) -> PurgePlan:
    """What purging these sources would do. Changes nothing.

    Raises:
        NotFound: a name that no snapshot and no registry of the notebook knows.
        Damaged: a manifest cannot be read, so nobody can say what it holds.
    """
    rows = _rows_of(place, set(names))
    missing = set(names) - {row.name for row in rows}
    if missing:
        raise NotFound(f"There is no source {sorted(missing)[0]!r} in this notebook or its history.")
    ids = {row.source_id for row in rows}
    marks = _marks(rows)
    forgotten = [
        manifest.snapshot
        for manifest in _manifests(place)
        if _holds(place, manifest, ids) or any(mark in manifest.to_json() for mark in marks)
    ]
    head = place.snapshots.head()
    chunks = 0 if head is None else _count_chunks(place, head, ids)
    cells = [
        name.rsplit("/", 1)[1].removesuffix(".json")
        for name in place.objects.names(f"notebooks/{place.slug}/cells")
        if any(mark in place.objects.get(name) for mark in marks)
    ]
    return PurgePlan(tuple(sorted(set(names))), chunks, tuple(forgotten), tuple(cells), tuple(_shared(place, rows)))


def purge(place: Place, names: Sequence[str], *, wait_seconds: float = 60) -> tuple[PurgePlan, Outcome]:
    """Do it. A new snapshot without the sources is published first; then everything that held them goes.

    Killed half-way, the new snapshot is complete, and purging again finishes the rest.

    Raises:
        NotFound, Damaged: as `plan_purge`.
        Busy: another process is building.
        RagbookError: somebody is reading a snapshot that would go.
    """
    with lease(place.folder, wait_seconds=wait_seconds):
        planned = plan_purge(place, names)
        reading = read_now(place.folder) & set(planned.forgotten)
        if reading:
            raise RagbookError(f"Snapshot {min(reading)} is being read by another process. Purge when it has finished.")
        rows = _rows_of(place, set(names))
        ids = {row.source_id for row in rows}
        vectors = _vectors_of(place, ids)
        outcome = _publish_without(place, ids, len(planned.names))
        for number in planned.forgotten:
            if number in kept(place):
                unkeep(place, number)
            place.objects.delete(place.snapshots.name(number))
        _rewrite_states(place)
        for cell in planned.cells:
            place.objects.delete(f"notebooks/{place.slug}/cells/{cell}.json")
        if not planned.shared:
            _purge_caches(place, vectors)
            _purge_originals(place, rows)
        _purge_set_aside(place)
    # Outside the lease, which collecting takes itself. No grace: what is unneeded now held what must go.
    collect(place, grace_seconds=-1.0, wait_seconds=wait_seconds)
    return planned, outcome


def _manifests(place: Place) -> list[Manifest]:
    manifests = []
    for found in place.snapshots.newest():
        if isinstance(found, Damaged):
            raise Damaged(f"{found} Nobody can say whether it holds what is to be purged: run doctor --repair first.")
        manifests.append(found)
    return manifests


def _rows_of(place: Place, names: set[str]) -> list[SourceRow]:
    """Every row of every pinned or wanted registry that has one of the names now or had one of their ids."""
    versions = {manifest.tables["sources"].version for manifest in _manifests(place)}
    wanted = place.states.newest().registry
    versions |= {wanted} if wanted is not None else set()
    every = [row for version in sorted(versions) for row in place.registry.rows(version)]
    ids = {row.source_id for row in every if row.name in names}
    return [row for row in every if row.source_id in ids]


def _marks(rows: Sequence[SourceRow]) -> list[bytes]:
    """Byte strings that betray a source in a JSON object: its names and its id."""
    words = {row.name for row in rows} | {row.source_id for row in rows}
    return [json.dumps(word, ensure_ascii=False)[1:-1].encode("utf-8") for word in sorted(words)]


def _holds(place: Place, manifest: Manifest, ids: set[str]) -> bool:
    return any(row.source_id in ids for row in place.registry.rows(manifest.tables["sources"].version))


def _open(place: Place, manifest: Manifest) -> ChunkTable:
    pinned = manifest.tables["chunks"]
    path = place.folder / pinned.path
    return ChunkTable.open(path.parent, path.stem, pinned.version)


def _count_chunks(place: Place, manifest: Manifest, ids: set[str]) -> int:
    return sum(1 for source_id in _open(place, manifest).reader().source_ids() if source_id in ids)


def _shared(place: Place, rows: Sequence[SourceRow]) -> list[str]:
    digests = {row.digest for row in rows} | {row.built_digest for row in rows if row.built_digest}
    found = []
    for slug in place.objects.folders("notebooks"):
        other = Place(place.objects, slug)
        state = other.states.newest()
        if slug != place.slug and any(row.digest in digests for row in other.registry.rows(state.registry)):
            found.append(slug)
    return found


def _vectors_of(place: Place, ids: set[str]) -> dict[str, set[bytes]]:
    """Per space, the bytes of the vectors of the purged chunks that no other chunk of the notebook has."""
    gone: dict[str, set[bytes]] = {}
    staying: dict[str, set[bytes]] = {}
    for manifest in _manifests(place):
        table = _open(place, manifest)
        for row_id, matrix in _by_source(table):
            side = gone if row_id in ids else staying
            side.setdefault(manifest.space_fp, set()).update(vector.tobytes() for vector in matrix)
    return {space: found - staying.get(space, set()) for space, found in gone.items()}


def _by_source(table: ChunkTable) -> Iterator[tuple[str, np.ndarray]]:
    reader = table.reader()
    matrix = reader.exact().matrix
    for number, source_id in enumerate(reader.source_ids()):
        yield source_id, matrix[number : number + 1]


def _publish_without(place: Place, ids: set[str], purged: int) -> Outcome:
    """A new snapshot of the newest one's recipe without the sources, in tables written anew."""
    head = place.snapshots.head()
    state = place.states.newest()
    versions = [state.registry, head.tables["sources"].version if head else None]
    base = max((version for version in versions if version is not None), default=None)
    rest = [row for row in place.registry.rows(base) if row.source_id not in ids]
    version = place.registry.rewrite(rest)
    sources_fp = registry_fingerprint(rest)
    if head is None:
        place.states.publish(_new_state(state, version, sources_fp, len(rest)))
        verdict = Verdict(VerdictName.UPDATED, f"Purged {count(purged, 'source')}. No index was built yet.")
        return Outcome(verdict, SourceCounts(removed=purged), ChunkCounts())
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
    )
    place.snapshots.publish(manifest)
    place.states.publish(_new_state(state, version, sources_fp, len(rest)))
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


def _new_state(state: State, version: int, sources_fp: str, sources: int) -> State:
    return replace(state, registry=version, sources_fp=sources_fp, sources=sources, pending=())


def _rewrite_states(place: Place) -> None:
    """Older states name sources in what was pending; only the newest counts."""
    names = place.objects.names(f"notebooks/{place.slug}/state")
    for name in names[:-1]:
        place.objects.delete(name)


def _purge_caches(place: Place, vectors: dict[str, set[bytes]]) -> None:
    for space in place.spaces.all():
        gone = vectors.get(space.fingerprint)
        if gone:
            cache = VectorCache(_space_folder(place, space), space.dimensions)
            cache.rewrite_without(gone)


def _space_folder(place: Place, space: Space) -> Path:
    return place.objects.root / place.spaces.folder(space.fingerprint)


def _purge_originals(place: Place, rows: Sequence[SourceRow]) -> None:
    """Originals of the purged sources, unless another source of this notebook has the same bytes."""
    staying = {row.digest for row in place.registry.rows(place.states.newest().registry)}
    for digest in {row.digest for row in rows} | {row.built_digest for row in rows if row.built_digest}:
        if digest not in staying:
            with contextlib.suppress(NotFound):
                place.objects.delete(place.originals.name(digest))


def _purge_set_aside(place: Place) -> None:
    """What was moved aside as damaged, or left by an import that was killed, may hold anything: all of it goes."""
    root = place.objects.root
    for pattern in ("*.damaged*", "*.torn", "damaged-*.lance", ".tmp-import-*"):
        for folder in (place.folder, root / "spaces", root / "originals", root / "notebooks", root):
            for path in list(folder.rglob(pattern) if folder != root else folder.glob(pattern)):
                with translated(path.name):
                    if path.is_dir():
                        shutil.rmtree(path)
                    else:
                        path.unlink(missing_ok=True)

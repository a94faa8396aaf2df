"""Snapshots over time: compare, go back, keep, forget, retire. History only grows, except by forgetting on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rag.changes import Change, Code, change
from rag.errors import Conflict, Damaged, NotFound, RagbookError
from rag.home.pinned import PinnedFiles
from rag.home.pinning import pin
from rag.home.place import Place
from rag.home.retiring import kept
from rag.home.state import State, only_after
from rag.manifest import Manifest, PinnedTable, Receipt, Verdict, VerdictName
from rag.outcome import ChunkCounts, Outcome, SourceCounts
from rag.sources.rows import SourceRow
from rag.spaces.recipe import recipe_changes
from rag.storage.stamp import now, writer_name
from rag.text.counting import count


@dataclass(frozen=True)
class Difference:
    """From snapshot `before` to snapshot `after`: names of sources by what became of them, renames as (old, new),
    chunks that came and went (same text at the same place counts as the same), and changes of the recipe."""

    before: int
    after: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    chunks_added: int
    chunks_removed: int
    chunks_kept: int
    recipe: tuple[Change, ...]


def diff(place: Place, before: int, after: int) -> Difference:
    """Compare two snapshots.

    Raises:
        NotFound, Damaged: one of them is not there, or fails its check.
    """
    old, new = place.snapshots.get(before), place.snapshots.get(after)
    was, has = _sources(place, old), _sources(place, new)
    left, right = _chunks(place, old), _chunks(place, new)
    both = was.keys() & has.keys()
    return Difference(
        before=before,
        after=after,
        added=tuple(row.name for key, row in has.items() if key not in was),
        changed=tuple(has[key].name for key in has if key in both and was[key].built_digest != has[key].built_digest),
        removed=tuple(row.name for key, row in was.items() if key not in has),
        renamed=tuple((was[key].name, has[key].name) for key in has if key in both and was[key].name != has[key].name),
        chunks_added=len(right - left),
        chunks_removed=len(left - right),
        chunks_kept=len(left & right),
        recipe=recipe_changes(old.recipe, new.recipe),
    )


def rollback(place: Place, number: int, *, wait_seconds: float = 60) -> Outcome:
    """Publish a new snapshot that pins what snapshot `number` pins, and make its sources the wanted ones. No calls.

    Raises:
        NotFound, Damaged: that snapshot is not there, or fails its check.
        Busy: another process is building.
    """
    place.snapshots.get(number)  # a number that is not there makes no folder for the lease
    with place.lease(wait_seconds=wait_seconds):
        for _ in range(5):
            target = place.snapshots.get(number)
            problem = PinnedFiles(place).first(target)
            if problem:
                raise Damaged(problem)
            number_of_next = place.snapshots.next_number()
            head = place.snapshots.head()
            if head is None or head.snapshot == number:
                raise RagbookError(f"Snapshot {number} is the newest one already.")
            state = place.states.newest()
            listed = target.tables["sources"]
            # As with every change, what is wanted comes first, in a version of the registry newer than all others: a
            # crash in between leaves a build to do that costs nothing, and not a snapshot that the next build undoes.
            base = max(head.tables["sources"].version, state.registry or 0)
            wished = _wished(place, state, head, listed)
            version = place.registry.restore(listed.version, base) if wished is None else wished
            sources = pin(place, place.registry.path, version, listed.rows, listed)
            if wished is None:
                try:
                    state = place.states.change(only_after(state, _wish(version, target.sources_fp, listed.rows)))
                except Conflict:
                    continue
            manifest = replace(
                target,
                snapshot=number_of_next,
                tables={**target.tables, "sources": sources},
                parent=head.snapshot,
                created=now(),
                writer=writer_name(),
                verdict=VerdictName.ROLLED_BACK,
                receipt=Receipt(saved_texts=target.counts.chunks),
                changes=(change(Code.WENT_BACK, before=head.snapshot, after=number),),
                state=state.number,
                registry=state.registry,
            )
            try:
                place.snapshots.publish(manifest)
            except Conflict:
                continue
            return _rolled_back(manifest, head.snapshot, number)
    raise Conflict("Other processes keep publishing snapshots of this notebook. Try again when they have finished.")


def _wished(place: Place, state: State, head: Manifest, listed: PinnedTable) -> int | None:
    """The version of the registry in which just the rows of `listed` are wanted already, by a rollback that was killed
    before it published; None where they are not. Asked for again, they would be one more state each time."""
    if state.registry is None or state.registry <= head.tables["sources"].version or state.pending:
        return None
    try:
        same = place.registry.rows(state.registry) == place.registry.rows(listed.version)
    except Damaged:
        return None
    return state.registry if same else None


def _wish(registry: int, sources_fp: str, sources: int) -> Callable[[State], State]:
    return lambda state: replace(state, registry=registry, sources_fp=sources_fp, sources=sources, pending=())


def forget(place: Place, number: int) -> None:
    """Remove a snapshot from history. `garbage` then finds the files that only it pinned.

    Raises:
        NotFound: there is none of that number.
        RagbookError: it is the newest intact one or the newest of all, is kept, or somebody is reading it.
    """
    numbers = place.snapshots.numbers()
    if number not in numbers:
        raise NotFound(f"There is no snapshot {number}.")
    head = place.snapshots.head()
    if number == numbers[-1] and (head is None or head.snapshot != number):
        # Its number would be given to another snapshot, and answers name the snapshot they are from.
        raise RagbookError(f"Snapshot {number} is damaged and the newest one. Build again first; then it can go.")
    if head is not None and head.snapshot == number:
        raise RagbookError(f"Snapshot {number} is the newest one; it stays. Roll back first, or purge its sources.")
    if number in kept(place):
        raise RagbookError(f"Snapshot {number} is marked to be kept. Take the mark off first: keep {number} --off.")
    if number in place.read_now():
        raise RagbookError(f"Snapshot {number} is being read by another process. Try again when it has finished.")
    place.objects.delete(place.snapshots.name(number))


def _rolled_back(manifest: Manifest, before: int, number: int) -> Outcome:
    counts = manifest.counts
    sentence = (
        f"Rolled back from snapshot {before} to {number}, published as snapshot {manifest.snapshot}: "
        f"{count(counts.chunks, 'chunk')} from {count(counts.sources, 'source')}. No model was called."
    )
    verdict = Verdict(
        VerdictName.ROLLED_BACK, sentence, "", manifest.snapshot, tuple(manifest.changes), manifest.receipt
    )
    return Outcome(
        verdict=verdict,
        sources=SourceCounts(total=counts.sources, unchanged=counts.sources, failed=counts.failed),
        chunks=ChunkCounts(counts.chunks, 0, counts.chunks),
        failures=tuple((failure.name, failure.reason) for failure in manifest.failures),
        space=manifest.space_fp,
        recipe=manifest.recipe_fp,
    )


def _sources(place: Place, manifest: Manifest) -> dict[str, SourceRow]:
    return {row.source_id: row for row in place.registry.rows(manifest.tables["sources"].version)}


def _chunks(place: Place, manifest: Manifest) -> set[tuple[str, int, str]]:
    table = place.chunks(manifest).scan(["source_id", "ordinal", "text"])
    columns = (table[name].to_pylist() for name in ("source_id", "ordinal", "text"))
    return set(zip(*columns, strict=True))

"""The third step of a build: see that what was written is what was meant, make it durable, and publish it.

The order is the promise. Rows and files are verified and durable before the manifest that pins them exists. Creating
the manifest is the one commit: a crash before it leaves the old snapshot, after it the new one is complete. Only
records are retired after it; files go when somebody collects them.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.building.attempt import DISTURBED, Attempt
from rag.building.results import changes_of, published_sentence, results, source_counts, verdict_name
from rag.building.writing import Written
from rag.changes import Change
from rag.errors import Conflict, Damaged
from rag.home.pinning import pin, verify
from rag.home.retiring import retire, to_retire
from rag.manifest import Counts, Failure, Manifest, PinnedTable, Receipt, Verdict
from rag.outcome import ChunkCounts, Outcome
from rag.progress import Stage
from rag.sources.rows import SourceRow
from rag.spaces.recipe import recipe_fingerprint
from rag.storage.stamp import now, writer_name
from rag.tables.lance_files import latest_version

_LISTED = 50
"""Most changes and failures a manifest lists; counts tell the rest."""


@dataclass(frozen=True)
class Published:
    """A snapshot that is there: its manifest, its sources, and all changes since the one before."""

    written: Written
    manifest: Manifest
    rows: list[SourceRow]
    changes: tuple[Change, ...]

    @property
    def outcome(self) -> Outcome:
        """What the build came to."""
        manifest, chunks = self.manifest, self.manifest.counts.chunks
        embedded = sum(read.embedded for read in self.written.reads)
        sentence = published_sentence(manifest.verdict, manifest, embedded)
        return Outcome(
            verdict=Verdict(manifest.verdict, sentence, "", manifest.snapshot, self.changes, manifest.receipt),
            sources=source_counts(self.rows, self.written.ground.todo, self.written.reads),
            chunks=ChunkCounts(chunks, embedded, chunks - embedded),
            failures=tuple((row.name, row.reason) for row in self.rows if row.state == "failed"),
            space=manifest.space_fp,
            recipe=manifest.recipe_fp,
        )


def publish(attempt: Attempt, written: Written) -> Published:
    """Verify, pin and publish.

    Raises:
        Cancelled: somebody wished it. Nothing was published.
        Conflict: somebody wrote, wished or published at the same moment, without the lease. Nothing was published.
        Damaged: the table is not what was written. Nothing was published.
        StoreError
    """
    place, ground = attempt.place, written.ground
    attempt.tell(Stage.VERIFY, 0, 1)
    with attempt.timed("verify"):
        rows = results(ground.wanted, ground.todo, written.reads, attempt.snapshot)
        chunks = sum(row.chunks for row in rows)
        _verify(written, chunks)
        tables = _pinned(attempt, written, rows)
    receipt = attempt.receipt(chunks - sum(read.embedded for read in written.reads))
    changes = changes_of(ground.head, ground.passed_over, written.healed, ground.todo, written.reads, written.recipe)
    manifest = _manifest(attempt, written, rows, tables, receipt, changes)
    attempt.stop_if_cancelled()
    # Sources that were added or removed without our lease belong in it too. This look only saves a build: what is
    # wished from here on is newer than `registry` in the manifest, and so the next thing to do.
    if place.states.newest().registry != ground.found.state.registry:
        raise Conflict(DISTURBED)
    attempt.tell(Stage.PUBLISH, 0, 1)
    place.snapshots.publish(manifest)
    place.journal.clear()
    retire(place, to_retire(place, count_kept=attempt.config.keep_snapshots, days=attempt.config.keep_days))
    attempt.tell(Stage.PUBLISH, 1, 1)
    return Published(written, manifest, rows, changes)


def _verify(written: Written, chunks: int) -> None:
    table = written.table
    try:
        verify(table, chunks, written.sample)
    except Damaged as error:
        if latest_version(table.path) == table.version:
            raise
        raise Conflict(DISTURBED) from error


def _pinned(attempt: Attempt, written: Written, rows: list[SourceRow]) -> dict[str, PinnedTable]:
    """Write the sources, and make both tables durable. What an older snapshot pins is not read again."""
    place, ground, table = attempt.place, written.ground, written.table
    registry = place.registry
    version = registry.write(rows, ground.found.registry_version)
    before = ground.base.manifest.tables["chunks"] if ground.base else None
    sources_before = ground.head.tables["sources"] if ground.head else None
    return {
        "chunks": pin(place, table.path, table.version, table.count, before),
        "sources": pin(place, registry.path, version, len(rows), sources_before),
    }


def _manifest(
    attempt: Attempt,
    written: Written,
    rows: list[SourceRow],
    tables: dict[str, PinnedTable],
    receipt: Receipt,
    changes: tuple[Change, ...],
) -> Manifest:
    ground, state = written.ground, written.ground.found.state
    recipe_fp = recipe_fingerprint(written.recipe)
    failed = [row for row in rows if row.state == "failed"]
    at_no_cost = ground.base is not None and not any(read.embedded for read in written.reads)
    return Manifest(
        snapshot=attempt.snapshot,
        parent=ground.head.snapshot if ground.head else None,
        created=now(),
        writer=writer_name(),
        verdict=verdict_name(
            ground.head, ground.passed_over, recipe_fp, at_no_cost=at_no_cost, resumed=attempt.resumed
        ),
        recipe=written.recipe,
        recipe_fp=recipe_fp,
        space_fp=written.space.fingerprint,
        sources_fp=state.sources_fp,
        counts=Counts(sum(1 for row in rows if row.built_digest), len(failed), tables["chunks"].rows),
        tables=tables,
        receipt=receipt,
        changes=changes[:_LISTED],
        failures=tuple(Failure(row.name, row.reason, bool(row.built_digest)) for row in failed[:_LISTED]),
        state=state.number,
        registry=state.registry,
    )

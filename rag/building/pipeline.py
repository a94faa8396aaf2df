"""From what is wanted to a new snapshot: read, split, embed what is missing, write, verify, publish.

The order is the promise. Vectors are in the cache, durable, before they are used. Chunk and source rows are durable
before the manifest that pins them exists. Creating the manifest is the one commit: a crash before it leaves the old
snapshot, after it the new one is complete. Nothing is removed before its replacement is in place.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.building.chunking import came_back, chunk_rows, grouped, original_of, read_all
from rag.building.ground import Base, find_ground
from rag.building.paying import MakeEmbedder, Payments
from rag.building.plan import Plan, plan
from rag.building.results import (
    Read,
    as_it_was,
    changes_of,
    counted,
    nothing_built,
    published_sentence,
    results,
    source_counts,
    standing,
    unchanged,
    verdict_name,
)
from rag.config import Config
from rag.errors import Cancelled, Conflict, Damaged, ModelError, SpaceRefused
from rag.fingerprint import vector_key
from rag.home.pinning import pin, verify
from rag.home.place import Place
from rag.home.retiring import retire, to_retire
from rag.home.state import only_after
from rag.home.verdicts import REFUSED_CHANGE, REFUSED_STEP
from rag.manifest import Counts, Failure, Manifest, Receipt, Verdict, VerdictName
from rag.outcome import ChunkCounts, Outcome, SourceCounts
from rag.progress import UNWATCHED, Event, Stage, Watch
from rag.sources.rows import SourceRow
from rag.spaces.recipe import recipe_fingerprint, wanted_recipe
from rag.spaces.space import Space
from rag.storage.stamp import now, writer_name
from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import latest_version
from rag.tables.vectors import VectorCache
from rag.text.counting import count

_DISTURBED = "Another process wrote into this index at the same moment. Build again."
_OF_ANOTHER = (
    "The model that answers now is not the one of this notebook's vectors; it has a saved space of its own, which this "
    "notebook was never built in. Build again to build it there beside the old one."
)
_LISTED = 50
"""Most changes and failures a manifest lists; counts tell the rest."""


def build(place: Place, config: Config, make_embedder: MakeEmbedder, watch: Watch = UNWATCHED) -> Outcome:
    """Bring the index to what the registry and the settings ask for, and publish it as the next snapshot.

    Raises:
        NotFound: there is no such notebook.
        Busy: another process is building, still after `watch.wait_seconds`.
        Cancelled: `watch.cancelled()` came true; what was paid for is in the vector cache.
        SpaceRefused: the live model is not the one of the saved vectors.
        ModelError, StoreError: the newest snapshot stays as it was.
    """
    place.must_exist()
    with place.held(watch):
        return build_held(place, config, make_embedder, watch)


def build_held(place: Place, config: Config, make_embedder: MakeEmbedder, watch: Watch = UNWATCHED) -> Outcome:
    """`build`, for a caller that holds the lease."""
    payments = Payments(place, config, make_embedder)
    for attempt in range(8):
        try:
            return _Build(place, config, payments, watch).run()
        except Conflict:
            # Somebody writes or publishes without our lease. Plan again on the new head: what we paid for is in the
            # cache. Not at once, or two who do the same would meet again and again.
            time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311 - no secret
    raise Conflict("Other processes keep publishing snapshots of this notebook. Try again when they have finished.")


@dataclass
class _Build:
    """One attempt at one build."""

    place: Place
    config: Config
    payments: Payments
    watch: Watch

    def run(self) -> Outcome:
        self.started = time.monotonic()
        self.stages: dict[str, float] = {}
        self._opened_cache: tuple[str, VectorCache] | None = None
        self.journal = self.place.journal
        self.resumed = self.journal.read() is not None
        # The number first: whoever publishes after this look takes it, and we lose the race instead of skipping theirs.
        self.snapshot = self.place.snapshots.next_number()
        self.payments.snapshot = self.snapshot
        self.ground = find_ground(self.place)
        try:
            return self._bring_up(self.place.spaces.wanted(self.config))
        finally:
            self.ground.leave()

    def _bring_up(self, space: Space | None) -> Outcome:
        base = self.ground.base(self.config, space)
        built = base.rows if base else []
        wanted = standing(self.place.registry.rows(self.ground.state.registry), built)
        todo = plan(wanted, built, again=lambda row: came_back(self.place, row))
        head, passed_over = self.ground.head, self.ground.passed_over
        if not (wanted or head or passed_over):
            return nothing_built("This notebook has no sources yet, so nothing was built.", self.started)
        if space and base and todo.nothing and base.manifest is head and not passed_over:
            self.journal.clear()
            if not self.place.spaces.refusal(space):
                return unchanged(base.manifest, self._receipt(base.manifest))
            # Nothing to do, and yet no answers: the model may have been set back since.
            try:
                live = self.payments.admit()
            except (SpaceRefused, ModelError) as error:
                return self._not_answering(base.manifest, VerdictName.REFUSED, str(error), REFUSED_STEP)
            if live == space:
                return unchanged(base.manifest, self._receipt(base.manifest))
            if self.ground.base(self.config, live):
                return self._bring_up(live)
            return self._not_answering(base.manifest, VerdictName.OTHER_RECIPE, _OF_ANOTHER, "Set the model back.")
        reads = self._read(todo)
        if space is None and not any(read.pieces for read in reads) and head is None:
            return self._unreadable(wanted, todo, reads)
        if space is None or self._missing(space, reads):
            live = self.payments.admit()
            if live != space and self.ground.base(self.config, live):
                return self._bring_up(live)  # another variant than was planned for
            if live != space and base:
                raise SpaceRefused(f"{_OF_ANOTHER} Or set the model back. Nothing was mixed or paid for.")
            space = live
        for read in reads:
            read.keys = [vector_key(space.fingerprint, "text", piece.embed_text) for piece in read.pieces]
        recipe = wanted_recipe(self.config, space)
        recipe_fp = recipe_fingerprint(recipe)
        self.place.spaces.note_recipe(space, recipe)  # before a text is paid for: a purge must find it
        table = base.at_rest() if base else self.ground.new_table(recipe_fp, space)
        self._write_chunks(table, reads, todo, space, recipe_fp)
        return self._publish(base, table, todo, reads, wanted, space, recipe)

    # ------------------------------------------------------------------ read, embed, write

    def _read(self, todo: Plan) -> list[Read]:
        reads: list[Read] = []
        started = time.monotonic()
        total = len(todo.read)
        if total:
            self._tell(Stage.READ, 0, total, todo.read[0].name)
        for read in read_all(todo.read, lambda row: original_of(self.place, row), self.config):
            reads.append(read)
            outcome = read.failure or f"{count(len(read.pieces), 'chunk')} read"
            self._tell(Stage.READ, len(reads), total, read.row.name, outcome, failed=bool(read.failure))
            self._stop_if_cancelled()
            if len(reads) < total:
                self._tell(Stage.READ, len(reads), total, todo.read[len(reads)].name)
        self.stages["read"] = time.monotonic() - started
        return reads

    def _missing(self, space: Space, reads: Sequence[Read]) -> bool:
        """Whether anything must be paid for: only then a model is called."""
        keys = {vector_key(space.fingerprint, "text", piece.embed_text) for read in reads for piece in read.pieces}
        return bool(keys) and len(self._cache(space).having(keys)) < len(keys)

    def _cache(self, space: Space) -> VectorCache:
        """One for the whole build: it reads the keys of all vectors once per version of its table."""
        if self._opened_cache is None or self._opened_cache[0] != space.fingerprint:
            self._opened_cache = space.fingerprint, self._open_cache(space)
        return self._opened_cache[1]

    def _open_cache(self, space: Space) -> VectorCache:
        return VectorCache(self.place.cache_folder(space.fingerprint), space.dimensions)

    def _write_chunks(self, table: ChunkTable, reads: Sequence[Read], todo: Plan, space: Space, recipe_fp: str) -> None:
        good = [read for read in reads if not read.failure]
        cache = self._cache(space)
        every = dict.fromkeys(key for read in good for key in read.keys)
        self.total = len(every)
        self.had = len(cache.having(every))
        self.paid = 0
        self.sample: list[ChunkRow] = []
        self.embed_started = time.monotonic()
        if self.total > self.had:
            self.journal.write(self.had, self.total)
        seen: set[bytes] = set()
        for group in grouped(good):
            self._stop_if_cancelled()
            vectors = self._vectors(group, cache, seen)
            started = time.monotonic()
            rows = [row for read in group for row in chunk_rows(read, vectors, recipe_fp)]
            before = table.version
            if table.replace([read.row.source_id for read in group], rows) > before + 1:
                raise Conflict(_DISTURBED)
            self.sample += rows[:1]
            self.stages["write"] = self.stages.get("write", 0.0) + time.monotonic() - started
        self.stages["embed"] = time.monotonic() - self.embed_started - self.stages.get("write", 0.0)
        if todo.drop:
            before = table.version
            if table.delete_sources([row.source_id for row in todo.drop]) > before + 1:
                raise Conflict(_DISTURBED)
        self._tell(Stage.WRITE, 0, 1)
        started = time.monotonic()
        table.tidy()
        cache.compact()
        self.healed = cache.repaired
        self.stages["tidy"] = time.monotonic() - started

    def _vectors(
        self, group: Sequence[Read], cache: VectorCache, seen: set[bytes]
    ) -> dict[bytes, npt.NDArray[np.float32]]:
        """Vectors of all chunks of a group; the missing ones are paid for, and saved batch by batch."""
        texts = {key: piece.embed_text for read in group for key, piece in zip(read.keys, read.pieces, strict=True)}
        vectors = cache.find(list(texts))
        missing = [key for key in texts if key not in vectors]
        fresh = set(missing) - seen
        for read in group:
            read.embedded = len(fresh.intersection(read.keys))
            fresh.difference_update(read.keys)  # a text that two sources share is paid for once, for the first
            self._tell(
                Stage.EMBED,
                self.paid,
                self.total - self.had,
                source=read.row.name,
                outcome=counted(len(read.keys), read.embedded),
            )
        seen.update(missing)
        if missing:
            with closing(self.payments.embed([texts[key] for key in missing], self.watch.cancelled)) as batches:
                for indexes, matrix in batches:
                    keys = [missing[index] for index in indexes]
                    cache.add(keys, matrix)  # before anything else: this is paid for
                    vectors |= zip(keys, matrix, strict=True)
                    self.paid += len(keys)
                    self.journal.write(self.had + self.paid, self.total)
                    self._tell(Stage.EMBED, self.paid, self.total - self.had)
        return vectors

    # ------------------------------------------------------------------ verify and publish

    def _publish(
        self,
        base: Base | None,
        table: ChunkTable,
        todo: Plan,
        reads: Sequence[Read],
        wanted: Sequence[SourceRow],
        space: Space,
        recipe: dict[str, Any],
    ) -> Outcome:
        self._tell(Stage.VERIFY, 0, 1)
        started = time.monotonic()
        snapshot, head, recipe_fp = self.snapshot, self.ground.head, recipe_fingerprint(recipe)
        rows = results(wanted, todo, reads, snapshot)
        chunks = sum(row.chunks for row in rows)
        try:
            verify(table, chunks, self.sample)
        except Damaged as error:
            if latest_version(table.path) == table.version:
                raise
            raise Conflict(_DISTURBED) from error
        registry = self.place.registry
        version = registry.write(rows, self.ground.registry_version)
        pinned = base.manifest.tables["chunks"] if base else None
        pins = {
            "chunks": pin(self.place, table.path, table.version, table.count, pinned),
            "sources": pin(self.place, registry.path, version, len(rows), head.tables["sources"] if head else None),
        }
        self.stages["verify"] = time.monotonic() - started
        failed = [row for row in rows if row.state == "failed"]
        embedded = sum(read.embedded for read in reads)
        receipt = self.payments.receipt(chunks - embedded, time.monotonic() - self.started, self.stages)
        damaged = self.ground.passed_over
        at_no_cost = base is not None and not embedded
        verdict = verdict_name(head, damaged, recipe_fp, at_no_cost=at_no_cost, resumed=self.resumed)
        changes = changes_of(head, damaged, self.healed, todo, reads, recipe)
        manifest = Manifest(
            snapshot=snapshot,
            parent=head.snapshot if head else None,
            created=now(),
            writer=writer_name(),
            epoch=0,
            verdict=verdict,
            recipe=recipe,
            recipe_fp=recipe_fp,
            space_fp=space.fingerprint,
            sources_fp=self.ground.state.sources_fp,
            counts=Counts(sum(1 for row in rows if row.built_digest), len(failed), chunks),
            tables=pins,
            receipt=receipt,
            changes=changes[:_LISTED],
            failures=tuple(Failure(row.name, row.reason, bool(row.built_digest)) for row in failed[:_LISTED]),
            state=self.ground.state.number,
            registry=self.ground.state.registry,
        )
        self._stop_if_cancelled()
        # Sources that were added or removed without our lease belong in it too. This look only saves a build: what is
        # wished from here on is newer than `registry` above, and so the next thing to do.
        if self.place.states.newest().registry != self.ground.state.registry:
            raise Conflict(_DISTURBED)
        self._tell(Stage.PUBLISH, 0, 1)
        self.place.snapshots.publish(manifest)
        self.journal.clear()
        # After publishing, and only records: the files go when somebody collects them.
        retire(
            self.place,
            to_retire(self.place, count_kept=self.config.keep_snapshots, days=self.config.keep_days),
        )
        self._tell(Stage.PUBLISH, 1, 1)
        return Outcome(
            verdict=Verdict(verdict, published_sentence(verdict, manifest, embedded), "", snapshot, changes, receipt),
            sources=source_counts(rows, todo, reads),
            chunks=ChunkCounts(chunks, embedded, chunks - embedded),
            failures=tuple((row.name, row.reason) for row in failed),
            space=space.fingerprint,
            recipe=recipe_fp,
        )

    def _receipt(self, base: Manifest) -> Receipt:
        """Of a build that found nothing to do."""
        return self.payments.receipt(base.counts.chunks, time.monotonic() - self.started, {})

    def _not_answering(self, base: Manifest, name: VerdictName, problem: str, step: str) -> Outcome:
        """The index is what is wanted, and the model that was refused is not back: what looking says too."""
        sentence = f"Snapshot {base.snapshot} is complete, and the model for questions was refused. {problem}"
        receipt = self._receipt(base)
        return as_it_was(base, Verdict(name, sentence, step, base.snapshot, (REFUSED_CHANGE,), receipt))

    def _unreadable(self, wanted: Sequence[SourceRow], todo: Plan, reads: Sequence[Read]) -> Outcome:
        """None of the sources can be read, and no model was ever asked: the reasons are noted, and nothing is built."""
        rows = results(wanted, todo, reads, 0)
        version = self.place.registry.write(rows, self.ground.registry_version)
        self.place.states.change(only_after(self.ground.state, lambda state: replace(state, registry=version)))
        outcome = nothing_built("None of the sources can be read, so nothing was built.", self.started)
        failed = [row for row in rows if row.state == "failed"]
        return replace(
            outcome,
            sources=SourceCounts(failed=len(failed)),
            failures=tuple((row.name, row.reason) for row in failed),
        )

    # ------------------------------------------------------------------ telling

    def _tell(
        self,
        stage: Stage,
        done: int,
        total: int,
        source: str | None = None,
        outcome: str | None = None,
        *,
        failed: bool = False,
    ) -> None:
        rate = left = None
        tokens, cost = self.payments.used()
        if stage is Stage.EMBED and done:
            rate = done / max(time.monotonic() - self.embed_started, 1e-6)
            left = (total - done) / rate
        self.watch.on_event(Event(stage, done, total, source, outcome, failed, rate, left, tokens, cost))

    def _stop_if_cancelled(self) -> None:
        if self.watch.cancelled():
            raise Cancelled("Stopped. What was paid for is kept, and the next build goes on from there.")

"""From what is wanted to a new snapshot: read, split, embed what is missing, write, verify, publish.

The order is the promise. Vectors are in the cache, durable, before they are used. Chunk and source rows are durable
before the manifest that pins them exists. Creating the manifest is the one commit: a crash before it leaves the old
snapshot, after it the new one is complete. Nothing is removed before its replacement is in place.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import numpy.typing as npt

from rag import planner
from rag.config import Config
from rag.embedding.tokens import tokenizer_for
from rag.errors import Cancelled, Conflict, Damaged, NotFound, ReadError, StoreError
from rag.fingerprint import chunk_id, vector_key
from rag.journal import Journal
from rag.lance_files import files_of, set_aside_torn
from rag.manifest import Change, Counts, Failure, Manifest, Receipt, Verdict, VerdictName
from rag.objects import translated
from rag.outcome import ChunkCounts, Outcome, SourceCounts, count
from rag.pinning import pin, verify
from rag.place import Place
from rag.planner import Plan, SourceRow
from rag.progress import Event, IsCancelled, OnEvent, Stage, ignore, never
from rag.reading import Readers, Reading
from rag.recipe import recipe_changes, recipe_fingerprint, wanted_recipe
from rag.results import Read, counted, published_sentence, results, source_counts
from rag.snapshots import lease, now, writer_name
from rag.spaces import Space
from rag.splitting import split
from rag.tables import ChunkRow, ChunkTable
from rag.vectors import VectorCache

if TYPE_CHECKING:
    from rag.embedding.embedder import Embedder

MakeEmbedder = Callable[[Config], "Embedder"]

GROUP = 2048
"""Chunks written in one commit of the table: bounds the vectors in memory (2,048 × 3,072 × 4 bytes = 25 MB)."""

_LISTED = 50
"""Most changes and failures a manifest lists; counts tell the rest."""


def build(
    place: Place,
    config: Config,
    make_embedder: MakeEmbedder,
    *,
    on_event: OnEvent = ignore,
    cancelled: IsCancelled = never,
    wait_seconds: float = 0,
    on_wait: Callable[[str], None] | None = None,
) -> Outcome:
    """Bring the index to what the registry and the settings ask for, and publish it as the next snapshot.

    Raises:
        Busy: another process is building, still after `wait_seconds`.
        Cancelled: `cancelled()` came true; what was paid for is in the vector cache.
        SpaceRefused: the live model is not the one of the saved vectors.
        ModelError, StoreError: the newest snapshot stays as it was.
    """
    with lease(place.folder, wait_seconds=wait_seconds, cancelled=cancelled, on_wait=on_wait):
        return build_held(place, config, make_embedder, on_event=on_event, cancelled=cancelled)


def build_held(
    place: Place,
    config: Config,
    make_embedder: MakeEmbedder,
    *,
    on_event: OnEvent = ignore,
    cancelled: IsCancelled = never,
) -> Outcome:
    """`build`, for a caller that holds the lease."""
    for _ in range(5):
        try:
            return _Build(place, config, make_embedder, on_event, cancelled).run()
        except Conflict:
            # Somebody published without our lease. Plan again on the new head: what we paid for is in the cache.
            continue
    raise Conflict("Other processes keep publishing snapshots of this notebook. Try again when they have finished.")


@dataclass
class _Build:
    """One attempt at one build."""

    place: Place
    config: Config
    make_embedder: MakeEmbedder
    on_event: OnEvent
    cancelled: IsCancelled

    def run(self) -> Outcome:
        self.started = time.monotonic()
        self.stages: dict[str, float] = {}
        self.embedder: Embedder | None = None
        self.canary_texts = 0
        self.journal = Journal(self.place.folder)
        self.resumed = self.journal.read() is not None
        self.state = self.place.states.newest()
        self._look_at_history()
        space = self.place.spaces.wanted(self.config)
        wanted = self.place.registry.rows(self.state.registry)
        base, table, built = self._base(space)
        todo = planner.plan(wanted, built)
        if base and todo.nothing and base is self.head and not self.passed_over:
            self.journal.clear()
            return self._unchanged(base)
        reads = self._read(todo)
        space = self._space(space, reads)
        for read in reads:
            read.keys = [vector_key(space.fingerprint, "text", piece.embed_text) for piece in read.pieces]
        recipe = wanted_recipe(self.config, space)
        recipe_fp = recipe_fingerprint(recipe)
        if base is None or table is None:
            table = self._new_table(recipe_fp, space)
        elif table.version != base.tables["chunks"].version:
            table.restore(base.tables["chunks"].version)  # ahead of its manifest: the rest of a crash
        self._write_chunks(table, reads, todo, space, recipe_fp)
        return self._publish(base, table, todo, reads, wanted, space, recipe, recipe_fp)

    # ------------------------------------------------------------------ where we stand

    def _look_at_history(self) -> None:
        """The intact snapshots, newest first, and the head among them. `passed_over` says what newer ones failed."""
        self.intact: list[Manifest] = []
        self.passed_over: list[str] = []
        self.unreadable = False
        for found in self.place.snapshots.newest():
            problem = str(found) if isinstance(found, Damaged) else self.place.missing_file(found)
            self.unreadable |= isinstance(found, Damaged)
            if isinstance(found, Manifest) and not problem:
                self.intact.append(found)
            elif not self.intact:
                self.passed_over.append(problem or "")
        self.head = self.intact[0] if self.intact else None

    def _base(self, space: Space | None) -> tuple[Manifest | None, ChunkTable | None, list[SourceRow]]:
        """The snapshot to start from, the newest of the wanted recipe whose tables can be used; its chunk table,
        which may be ahead of it; and its sources."""
        recipe_fp = recipe_fingerprint(wanted_recipe(self.config, space)) if space else None
        for manifest in self.intact:
            if manifest.recipe_fp != recipe_fp:
                continue
            pinned = manifest.tables["chunks"]
            path = self.place.folder / pinned.path
            try:
                # A power cut can leave a torn version that nobody published; Lance then opens none of the others.
                set_aside_torn(path, pinned.version)
                table = ChunkTable.open(path.parent, path.stem)
                files_of(path, pinned.version)
                return manifest, table, self.place.registry.rows(manifest.tables["sources"].version)
            except (Damaged, NotFound) as error:
                self.passed_over.append(str(error))
        return None, None, []

    # ------------------------------------------------------------------ read and split

    def _read(self, todo: Plan) -> list[Read]:
        reads = []
        started = time.monotonic()
        offsets = tokenizer_for(self.config).count_offsets
        with Readers() as readers:
            for done, row in enumerate(todo.read):
                self._stop_if_cancelled()
                self._tell(Stage.READ, done, len(todo.read), source=row.name)
                read = Read(row)
                try:
                    reading = self._reading(readers, row)
                    read.media_type = reading.media_type
                    read.pieces = split(
                        reading, size=self.config.chunk_size, overlap=self.config.chunk_overlap, offsets=offsets
                    )
                    outcome = f"{count(len(read.pieces), 'chunk')} read"
                except ReadError as error:
                    read.failure = outcome = str(error)
                reads.append(read)
                self._tell(Stage.READ, done + 1, len(todo.read), row.name, outcome, failed=bool(read.failure))
        self.stages["read"] = time.monotonic() - started
        return reads

    def _reading(self, readers: Readers, row: SourceRow) -> Reading:
        path = self.place.originals.path(row.digest)
        if not path.is_file():
            raise ReadError("The original is missing from the home. Add the file again.")
        return readers.read(row.name, path)

    # ------------------------------------------------------------------ embed and write

    def _space(self, space: Space | None, reads: Sequence[Read]) -> Space:
        """The space to build in. A model is called only where something must be paid for, or the space is new."""
        if space is not None and not self._missing(space, reads):
            return space
        self.embedder = self.make_embedder(self.config)
        self.usage_before = self.embedder.usage
        space = self.place.spaces.admit(self.embedder, self.config)
        self.canary_texts = (self.embedder.usage - self.usage_before).texts
        return space

    def _missing(self, space: Space, reads: Sequence[Read]) -> bool:
        keys = {vector_key(space.fingerprint, "text", piece.embed_text) for read in reads for piece in read.pieces}
        return bool(keys) and len(self._cache(space).having(keys)) < len(keys)

    def _cache(self, space: Space) -> VectorCache:
        return VectorCache(self.place.objects.root / self.place.spaces.folder(space.fingerprint), space.dimensions)

    def _new_table(self, recipe_fp: str, space: Space) -> ChunkTable:
        """An empty chunk table in a folder of its own. What an unfinished build left there is cleared away, unless a
        manifest pins it or might."""
        folder = self.place.folder
        pinned = {manifest.tables["chunks"].path for manifest in self.place.snapshots.newest() if _read_well(manifest)}
        root = self.place.index_folder(recipe_fp)
        for attempt in range(1, 1000):
            name = root if attempt == 1 else f"{root}-{attempt}"
            if (folder / name).exists():
                if self.unreadable or f"{name}/chunks.lance" in pinned:
                    continue
                with translated(name):
                    shutil.rmtree(folder / name)
            return ChunkTable.create(folder / name, "chunks", space.dimensions, space.fingerprint)
        raise StoreError(f"{root} has too many damaged copies. Move some of them out of the home.")

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
        for group in _groups(good):
            self._stop_if_cancelled()
            vectors = self._vectors(group, cache, seen)
            started = time.monotonic()
            rows = [row for read in group for row in _rows(read, vectors, recipe_fp)]
            table.replace([read.row.source_id for read in group], rows)
            self.sample += rows[:1]
            self.stages["write"] = self.stages.get("write", 0.0) + time.monotonic() - started
        self.stages["embed"] = time.monotonic() - self.embed_started - self.stages.get("write", 0.0)
        if todo.drop:
            table.delete_sources([row.source_id for row in todo.drop])
        self._tell(Stage.WRITE, 0, 1)
        started = time.monotonic()
        table.tidy()
        cache.compact()
        self.stages["tidy"] = time.monotonic() - started

    def _vectors(
        self, group: Sequence[Read], cache: VectorCache, seen: set[bytes]
    ) -> dict[bytes, npt.NDArray[np.float32]]:
        """Vectors of all chunks of a group; the missing ones are paid for, and saved batch by batch."""
        texts = {key: piece.embed_text for read in group for key, piece in zip(read.keys, read.pieces, strict=True)}
        vectors = cache.find(list(texts))
        missing = [key for key in texts if key not in vectors]
        if missing and self.embedder is None:
            # Only here: a cached vector failed its check since we looked.
            self.embedder = self.make_embedder(self.config)
            self.usage_before = self.embedder.usage
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
        if missing and self.embedder is not None:
            for indexes, matrix in self.embedder.embed(
                [texts[key] for key in missing], "text", cancelled=self.cancelled
            ):
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
        base: Manifest | None,
        table: ChunkTable,
        todo: Plan,
        reads: Sequence[Read],
        wanted: Sequence[SourceRow],
        space: Space,
        recipe: dict[str, Any],
        recipe_fp: str,
    ) -> Outcome:
        self._tell(Stage.VERIFY, 0, 1)
        started = time.monotonic()
        snapshot = self.place.snapshots.next_number()
        rows = results(wanted, todo, reads, snapshot)
        chunks = sum(row.chunks for row in rows)
        verify(table, chunks, self.sample)
        registry = self.place.registry
        version = registry.write(rows, self._registry_base())
        pins = {
            "chunks": pin(self.place, table.path, table.version, table.count, base.tables["chunks"] if base else None),
            "sources": pin(
                self.place, registry.path, version, len(rows), self.head.tables["sources"] if self.head else None
            ),
        }
        self.stages["verify"] = time.monotonic() - started
        failed = [row for row in rows if row.state == "failed"]
        embedded = sum(read.embedded for read in reads)
        receipt = self._receipt(chunks - embedded)
        verdict = self._verdict_name(base, recipe_fp, embedded)
        changes = self._changes(todo, reads, recipe)
        manifest = Manifest(
            snapshot=snapshot,
            parent=self.head.snapshot if self.head else None,
            created=now(),
            writer=writer_name(),
            epoch=0,
            verdict=verdict,
            recipe=recipe,
            recipe_fp=recipe_fp,
            space_fp=space.fingerprint,
            sources_fp=self.state.sources_fp,
            counts=Counts(sum(1 for row in rows if row.built_digest), len(failed), chunks),
            tables=pins,
            receipt=receipt,
            changes=changes[:_LISTED],
            failures=tuple(Failure(row.name, row.reason, bool(row.built_digest)) for row in failed[:_LISTED]),
        )
        self._stop_if_cancelled()
        self._tell(Stage.PUBLISH, 0, 1)
        self.place.snapshots.publish(manifest)
        self.journal.clear()
        self._tell(Stage.PUBLISH, 1, 1)
        return Outcome(
            verdict=Verdict(verdict, published_sentence(verdict, manifest, embedded), "", snapshot, changes, receipt),
            sources=source_counts(rows, todo, reads),
            chunks=ChunkCounts(chunks, embedded, chunks - embedded),
            failures=tuple((row.name, row.reason) for row in failed),
            space=space.fingerprint,
            recipe=recipe_fp,
        )

    def _registry_base(self) -> int | None:
        versions = [self.state.registry, self.head.tables["sources"].version if self.head else None]
        return max((version for version in versions if version is not None), default=None)

    def _verdict_name(self, base: Manifest | None, recipe_fp: str, embedded: int) -> VerdictName:
        if self.passed_over:
            return VerdictName.RECOVERED
        if self.head is None:
            return VerdictName.RESUMED if self.resumed else VerdictName.BUILT
        if self.head.recipe_fp != recipe_fp:
            return VerdictName.SWITCHED if base and not embedded else VerdictName.REBUILT
        return VerdictName.RESUMED if self.resumed else VerdictName.UPDATED

    def _changes(self, todo: Plan, reads: Sequence[Read], recipe: dict[str, Any]) -> tuple[Change, ...]:
        changes = [Change("damage", None, problem) for problem in self.passed_over]
        if self.head is not None:
            changes += recipe_changes(self.head.recipe, recipe)
        known = {row.source_id for row in todo.keep} if self.head is None else set()
        for read in reads:
            if read.failure:
                changes.append(Change(read.row.name, None, f"could not be read: {read.failure}"))
            elif read.row.source_id not in known:
                verb = "changed" if read.row.built_digest else "added"
                changes.append(Change(read.row.name, None, f"{verb}: {counted(len(read.keys), read.embedded)}"))
        changes += [Change("renamed", old.name, new.name) for old, new in todo.renamed]
        changes += [Change(row.name, f"{count(row.chunks, 'chunk')}", "removed") for row in todo.drop]
        return tuple(changes)

    def _unchanged(self, base: Manifest) -> Outcome:
        receipt = Receipt(saved_texts=base.counts.chunks, seconds=time.monotonic() - self.started)
        sentence = f"Nothing to do: snapshot {base.snapshot} already is what is wanted. No model was called."
        return Outcome(
            verdict=Verdict(VerdictName.UNCHANGED, sentence, "", base.snapshot, (), receipt),
            sources=SourceCounts(total=base.counts.sources, unchanged=base.counts.sources, failed=base.counts.failed),
            chunks=ChunkCounts(base.counts.chunks, 0, base.counts.chunks),
            failures=tuple((failure.name, failure.reason) for failure in base.failures),
            space=base.space_fp,
            recipe=base.recipe_fp,
        )

    # ------------------------------------------------------------------ telling

    def _receipt(self, saved: int) -> Receipt:
        seconds = time.monotonic() - self.started
        stages = {name: round(value, 4) for name, value in self.stages.items()}
        if self.embedder is None:
            return Receipt(saved_texts=saved, seconds=round(seconds, 4), stages=stages)
        used = self.embedder.usage - self.usage_before
        return Receipt(
            calls=used.calls,
            texts=used.texts - self.canary_texts,
            tokens=used.tokens,
            cost_usd=used.cost_usd,
            saved_texts=saved,
            canary_texts=self.canary_texts,
            seconds=round(seconds, 4),
            stages=stages,
        )

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
        tokens, cost = 0, 0.0 if self.embedder is None else None
        if self.embedder is not None:
            used = self.embedder.usage - self.usage_before
            tokens, cost = used.tokens, used.cost_usd
        if stage is Stage.EMBED and done:
            rate = done / max(time.monotonic() - self.embed_started, 1e-6)
            left = (total - done) / rate
        self.on_event(Event(stage, done, total, source, outcome, failed, rate, left, tokens, cost))

    def _stop_if_cancelled(self) -> None:
        if self.cancelled():
            raise Cancelled("Stopped. What was paid for is kept, and the next build goes on from there.")


def _read_well(found: Manifest | Damaged) -> TypeGuard[Manifest]:
    return isinstance(found, Manifest)


def _groups(reads: Sequence[Read]) -> Iterator[list[Read]]:
    group: list[Read] = []
    size = 0
    for read in reads:
        if group and size + len(read.pieces) > GROUP:
            yield group
            group, size = [], 0
        group.append(read)
        size += len(read.pieces)
    if group:
        yield group


def _rows(read: Read, vectors: dict[bytes, npt.NDArray[np.float32]], recipe_fp: str) -> Iterator[ChunkRow]:
    for piece, key in zip(read.pieces, read.keys, strict=True):
        heading = " › ".join(piece.headings)
        metadata: dict[str, Any] = {"source_id": read.row.source_id, "media_type": read.media_type}
        if piece.page is not None:
            metadata["page"] = piece.page
        if heading:
            metadata["heading"] = heading
        yield ChunkRow(
            id=chunk_id(read.row.source_id, piece.ordinal, recipe_fp, piece.text),
            source_id=read.row.source_id,
            ordinal=piece.ordinal,
            text=piece.text,
            page=piece.page,
            page_end=piece.page_end,
            start=piece.start,
            end=piece.end,
            heading=heading,
            metadata=metadata,
            node=None,
            vector=vectors[key],
        )

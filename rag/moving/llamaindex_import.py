"""An index that llama-index wrote, adopted: its texts always, its vectors where the configured model made them.

Five stored chunks are embedded again. Where the vectors agree, they are taken as they are, with the chunks as
llama-index had cut them, as the first snapshot of the notebook. Its recipe names `llama-index import` as the splitter,
so the verdict afterwards is OTHER_RECIPE and says why: the snapshot answers, and a build cuts the texts in our way.
Adopted vectors do not go into the vector cache: five of them were checked, and the cache serves other notebooks too.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag import old_sentences
from rag.changes import Code, change
from rag.errors import AlreadyExists
from rag.fingerprint import chunk_id
from rag.home.pinning import pin, verify
from rag.home.spending import Purpose, Recording, recorded
from rag.home.state import State, only_after
from rag.manifest import Counts, Manifest, Receipt, VerdictName
from rag.moving.llamaindex_files import StoredIndex, read_index
from rag.moving.llamaindex_sources import AdoptedSource, sources_of
from rag.moving.llamaindex_trial import SAMPLES, Needed, compared, estimate, unit
from rag.sources.rows import Given, SourceRow, register, registry_fingerprint
from rag.spaces.recipe import recipe_fingerprint, wanted_recipe
from rag.spaces.space import Space
from rag.storage.failures import translated
from rag.storage.stamp import now, writer_name
from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable
from rag.tables.tidying import tidy
from rag.text.counting import count
from rag.text.languages import detect_each, held

if TYPE_CHECKING:
    from rag.models.embedder import Embedder
    from rag.notebook import Notebook

SPLITTER = "llama-index import"
"""What stands in the recipe for the splitter of an adopted snapshot."""

_AT_ONCE = 2048  # rows in one commit
_MEDIA_TYPE = "text/plain"


@dataclass(frozen=True)
class Adopted:
    """What an import came to. `snapshot` is None where the vectors were not taken: `reason` says why. `needed` is
    what a build would embed.

    `agreement` is the least cosine of the samples, None where none was embedded. `left_out` counts stored nodes without
    text or vector. The receipt is what the check has cost.
    """

    verdict: VerdictName
    snapshot: int | None
    sources: int
    chunks: int
    left_out: int
    agreement: float | None
    reason: str
    needed: Needed
    receipt: Receipt

    @property
    def sentence(self) -> str:
        """What there is now, and the next step."""
        left = f" {count(self.left_out, 'node')} without text or vector were left out." if self.left_out else ""
        sources = count(self.sources, "source")
        if self.snapshot is not None:
            return (
                f"Adopted {count(self.chunks, 'chunk')} from {sources} with their vectors; the configured model "
                f"gave the same for {count(self.receipt.texts, 'sample')} (cosine {self.agreement or 0:.3f}).{left} "
                f"They answer as llama-index had cut them. A build cuts them anew, for {self.needed}."
            )
        return f"Imported the texts of {sources} without vectors: {self.reason}.{left} A build takes {self.needed}."


def import_llamaindex(
    notebook: Notebook, folder: Path, *, wait_seconds: float = 600, on_wait: Callable[[str], None] | None = None
) -> Adopted:
    """Adopt the index in `folder`, written by llama-index's `persist()`, in a notebook that has no sources yet.

    Embeds at most five texts, and the eight of the canary where the model's space is new.

    Raises:
        NotFound, Damaged, SourceTooLarge: the folder is none of llama-index's, or is torn; nothing was changed.
        AlreadyExists: the notebook has sources or snapshots.
        SpaceRefused, ModelError: the model could not be asked; nothing was changed.
        Busy, StoreError
    """
    started = time.monotonic()
    stored = read_index(folder)
    sources = sources_of(stored.nodes)
    with notebook.place.lease(wait_seconds=wait_seconds, on_wait=on_wait):
        return _Adoption(notebook, stored, sources, started).run()


@dataclass
class _Adoption:
    notebook: Notebook
    stored: StoredIndex
    sources: Sequence[AdoptedSource]
    started: float

    def run(self) -> Adopted:
        place = self.notebook.place
        self.state = place.states.newest()
        if self.state.sources or self.state.registry is not None or place.snapshots.numbers():
            raise AlreadyExists(
                f"The notebook {place.slug!r} has sources already. Import into one of its own: give a new name with "
                "--notebook."
            )
        self.embedder: Embedder = self.notebook.models.embedder(self.notebook.config)
        before = self.embedder.usage
        with self._recorded("adopt"):
            reason, agreement = compared(self.embedder, self.notebook.config, self.stored)
        with self._recorded("canary"):
            space = None if reason else place.admission.admit(self.embedder, self.notebook.config)
        used = self.embedder.usage - before
        sampled = 0 if agreement is None else min(SAMPLES, len(self.stored.nodes))
        rows = self._rows()
        needed = estimate(self.embedder, self.notebook.config, self.sources)
        snapshot = None
        if space is not None:
            snapshot = self._publish(rows, space)
        else:
            registry = place.registry
            self._want(rows, registry.write(rows, self.state.registry), pending=True)
        return Adopted(
            verdict=VerdictName.BUILT if snapshot else VerdictName.NEW,
            snapshot=snapshot,
            sources=len(rows),
            chunks=len(self.stored.nodes),
            left_out=self.stored.left_out,
            agreement=agreement,
            reason=reason,
            needed=needed,
            receipt=Receipt(
                calls=used.calls,
                texts=sampled,
                tokens=used.tokens,
                cost_usd=used.cost_usd,
                saved_texts=len(self.stored.nodes) - sampled if snapshot else 0,
                canary_texts=used.texts - sampled,
                seconds=round(time.monotonic() - self.started, 4),
            ),
        )

    # ------------------------------------------------------------------ keep and publish

    def _recorded(self, purpose: Purpose) -> AbstractContextManager[Recording]:
        model = self.notebook.config.embed_model
        return recorded(self.notebook.place, self.embedder, model, purpose, snapshot=1)

    def _rows(self) -> list[SourceRow]:
        given = []
        for source in self.sources:
            digest, size = self.notebook.place.originals.keep(source.text.encode("utf-8"))
            given.append(Given(source.name, digest, size))
        return list(register([], given, when=now()).rows)

    def _want(self, rows: Sequence[SourceRow], version: int, *, pending: bool) -> State:
        changes = [change(Code.ADDED, source=row.name) for row in rows[:50]] if pending else []
        wanted = registry_fingerprint(rows)

        def wish(newest: State) -> State:
            return replace(newest, registry=version, sources_fp=wanted, sources=len(rows), pending=tuple(changes))

        return self.notebook.place.states.change(only_after(self.state, wish))

    @held()  # the model of languages goes when all is written
    def _publish(self, rows: Sequence[SourceRow], space: Space) -> int:
        place = self.notebook.place
        recipe = wanted_recipe(self.notebook.config, space) | {"splitter": {"id": SPLITTER}}
        recipe_fp = recipe_fingerprint(recipe)
        root = place.table_folder(place.index_folder(recipe_fp))
        with translated(place.index_folder(recipe_fp)), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(root)  # the rest of an import that was killed: this notebook has no snapshot
        table = ChunkTable.create(root, "chunks", space.dimensions, space.fingerprint)
        sample: list[ChunkRow] = []
        for part in _parts(self._chunks(rows, recipe_fp)):
            table.upsert(part)
            sample += part[:1]
        tidy(table)
        verify(table, len(self.stored.nodes), sample)
        built = [self._built(row, source) for row, source in zip(rows, self.sources, strict=True)]
        version = place.registry.write(built, self.state.registry)
        tables = {
            "chunks": pin(place, table.path, table.version, table.count, None),
            "sources": pin(place, place.registry.path, version, len(built), None),
        }
        chunks = len(self.stored.nodes)
        manifest = Manifest(
            snapshot=place.snapshots.next_number(),
            parent=None,
            created=now(),
            writer=writer_name(),
            verdict=VerdictName.BUILT,
            recipe=recipe,
            recipe_fp=recipe_fp,
            space_fp=space.fingerprint,
            sources_fp=registry_fingerprint(built),
            counts=Counts(len(built), 0, chunks),
            tables=tables,
            receipt=Receipt(saved_texts=chunks),
            changes=(change(Code.ADOPTED, chunks=chunks),),
        )
        # What is wanted first: a crash in between leaves sources without an index, which a build makes.
        state = self._want(built, version, pending=False)
        place.snapshots.publish(replace(manifest, state=state.number, registry=state.registry))
        return manifest.snapshot

    def _built(self, row: SourceRow, source: AdoptedSource) -> SourceRow:
        chunks = len(source.chunks)
        return replace(
            row,
            media_type=_MEDIA_TYPE,
            snapshot=1,
            state="indexed",
            built_digest=row.digest,
            chunks=chunks,
            embedded=0,
            reused=chunks,
            changed="new",
            why=old_sentences.why(change(Code.ADOPTED_SOURCE, chunks=chunks)),
        )

    def _chunks(self, rows: Sequence[SourceRow], recipe_fp: str) -> Iterator[ChunkRow]:
        assert self.stored.vectors is not None
        vectors = unit(self.stored.vectors)
        for row, source in zip(rows, self.sources, strict=True):
            languages = detect_each([one.node.text for one in source.chunks])
            for ordinal, (one, language) in enumerate(zip(source.chunks, languages, strict=True)):
                ours: dict[str, Any] = {"source_id": row.source_id, "media_type": _MEDIA_TYPE}
                ours["llama_index_node"] = one.node.id
                yield ChunkRow(
                    id=chunk_id(row.source_id, ordinal, recipe_fp, one.node.text),
                    source_id=row.source_id,
                    ordinal=ordinal,
                    text=one.node.text,
                    page=one.page,
                    page_end=one.page,
                    start=one.start,
                    end=one.end,
                    heading=one.heading,
                    metadata=one.node.metadata | ours,
                    node=None,
                    vector=vectors[one.number],
                    language=language,
                )


def _parts(rows: Iterator[ChunkRow]) -> Iterator[list[ChunkRow]]:
    part: list[ChunkRow] = []
    for row in rows:
        part.append(row)
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part

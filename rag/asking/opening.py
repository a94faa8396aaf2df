"""A snapshot, opened: its pinned tables, ready to search; over them, for whoever asks, llama-index's StorageContext and
VectorStoreIndex.

Opening makes no model call and reads no vectors; both wait for the first question.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from rag.asking.neighbours import Neighbours, text_of
from rag.asking.questions import Questions
from rag.asking.reranking import Reranking
from rag.asking.restricting import rows_meeting
from rag.asking.retrieval import Searcher
from rag.citing.answer import Found, Passage
from rag.config import Config
from rag.errors import Damaged, NotFound
from rag.home.noticed import notice, still_bad
from rag.home.pinned import HASHED_AT_OPENING, BadFile, PinnedFiles
from rag.home.place import Place
from rag.home.tagged import tags_of
from rag.manifest import Manifest
from rag.models.makers import Models
from rag.progress import IsCancelled, never
from rag.sources.restriction import Restriction
from rag.spaces.space import Space
from rag.tables.chunk_table import ChunkTable

if TYPE_CHECKING:
    import numpy as np
    from llama_index.core import StorageContext, VectorStoreIndex
    from numpy.typing import NDArray

    from rag.tables.reader import TableReader


@dataclass(frozen=True, eq=False)
class Opened:
    """One snapshot, open. Immutable and safe to share by all threads and sessions.

    `config` are the settings it was opened under, and `models` makes the models that they name. `seconds` is how long
    opening took, `opened_at` when, in seconds since the epoch. `problems` are sentences about newer snapshots that were
    passed over because of damage. `storage` is llama-index's StorageContext where it was made at opening: then searches
    go through its vector store. Where `demanding`, a model that fails to make a question's vector is an error and no
    note: for measuring.
    """

    place: Place
    config: Config
    models: Models
    manifest: Manifest
    table: ChunkTable
    questions: Questions
    opened_at: float
    seconds: float
    problems: tuple[str, ...] = ()
    storage: StorageContext | None = None
    demanding: bool = False

    @cached_property
    def storage_context(self) -> StorageContext:
        """llama-index's, its vector store over the pinned table. Imports llama-index."""
        return self.storage or _storage_over(self.table)

    @cached_property
    def index(self) -> VectorStoreIndex:
        """llama-index's, for retrievers, over the storage context. Imports llama-index."""
        from rag.llamaindex.index import index_over

        return index_over(self.storage_context, self.questions.space.model, self.questions.vector)

    @property
    def reader(self) -> TableReader:
        """What searches read."""
        if self.storage is None:
            return self.table.reader()
        table: ChunkTable = self.storage.vector_store.client
        return table.reader()

    @property
    def snapshot(self) -> int:
        """The snapshot's number."""
        return self.manifest.snapshot

    @cached_property
    def names(self) -> dict[str, str]:
        """Source ids to display names, as of this snapshot."""
        return self.place.registry.names(self.manifest.tables["sources"].version)

    def check(self) -> None:
        """Hash what opening left unhashed, up to `HASHED_BEFORE_USE` bytes; once, then this costs nothing.

        Raises:
            Damaged: a file has other bytes than were written. Opened anew, an older snapshot answers.
        """
        bad = self._altered
        if bad is not None:
            raise Damaged(bad.sentence)

    @cached_property
    def _altered(self) -> BadFile | None:
        place = self.place
        bad = next(PinnedFiles(place, beyond=HASHED_AT_OPENING).bad(self.manifest), None)
        if bad is not None and bad.kind == "altered":  # a file that went away since leaves us its open handle
            notice(place, self.manifest, bad)
            return bad
        return None

    @cached_property
    def searcher(self) -> Searcher:
        """The search over this snapshot. Raises Damaged as `check`."""
        self.check()
        return Searcher(self.reader, self.questions, self.names, self.snapshot, self.demanding)

    @cached_property
    def reranking(self) -> Reranking:
        """What re-ranks the passages of this snapshot, where that is chosen."""
        return Reranking(self.place, self.config, self.models, self.snapshot)

    def search(
        self, text: str, k: int = 8, only: Restriction | None = None, *, cancelled: IsCancelled = never
    ) -> Found:
        """The `k` best passages, of those that meet the restriction, re-ranked where that is chosen; `cancelled` ends
        only that. Raises SpaceRefused and ModelError as `Searcher.search`, NotFound for a source or tag that is not
        there, ConfigError for a re-ranker that is not installed, and the first time Damaged as `check`."""
        found = self.searcher.search(text, self.reranking.depth(k), self.rows_of(only))
        found = self.reranking.reranked(text, found, cancelled=cancelled)
        return found if len(found.passages) <= k else replace(found, passages=found.passages[:k])

    def rows_of(self, only: Restriction | None) -> NDArray[np.int64] | None:
        """Numbers of the rows that meet a restriction, rising; None for all. Raises NotFound as `search`."""
        if only is None:
            return None
        sources = self.place.registry.rows(self.manifest.tables["sources"].version)
        return rows_meeting(only, self.reader, sources, tags_of(self.place) if only.tags else None)

    def source_text(self, source_id: str, start: int, end: int) -> str:
        """Characters `start` to `end` of a source, put together from its chunks; gaps between them as line breaks."""
        return text_of(self.table.rows_of_source(source_id), start, end)

    def neighbours(self, passages: Sequence[Passage], only: Restriction | None = None) -> Neighbours:
        """The chunks of found passages with those right before and after them that meet the restriction."""
        reader = self.reader
        near = reader.beside(reader.rows([one.chunk_id for one in passages]))
        numbers = self.rows_of(only)
        if numbers is not None:
            meeting = set(numbers.tolist())
            near = [row for row in near if set(reader.numbers([row.id])) <= meeting]
        return Neighbours(near)


def open_index(
    place: Place,
    config: Config,
    models: Models,
    snapshot: int | None = None,
    *,
    deep: bool = False,
    through_storage: bool = False,
) -> Opened:
    """Open a snapshot of a notebook; the newest intact one without a number.

    All files are there with their sizes, and those that fit into `HASHED_AT_OPENING` bytes, small ones first, have
    their SHA-256; with `deep`, all of them. The first search checks more (`Opened.check`). With `through_storage`,
    llama-index's StorageContext is made now, and searches go through its vector store.

    Raises:
        NotFound: there is none.
        Damaged: the asked-for one, or every one, fails its check.
    """
    started = time.monotonic()
    problems: list[str] = []
    pinned = PinnedFiles(place, None if deep else HASHED_AT_OPENING)
    candidates: Iterator[Manifest | Damaged] = (
        place.snapshots.newest() if snapshot is None else iter([place.snapshots.get(snapshot)])
    )
    for manifest in candidates:
        if isinstance(manifest, Damaged):
            problems.append(str(manifest))
            continue
        try:
            bad = next(pinned.bad(manifest), None)
            if bad is not None:
                notice(place, manifest, bad)
                raise Damaged(bad.sentence)
            known = still_bad(place, manifest)
            if known is not None:
                raise Damaged(known)
            table, space = _pinned(place, manifest)
            storage = _storage_over(table) if through_storage else None
            opened = Opened(
                place,
                config,
                models,
                manifest,
                table,
                Questions(space, place, config, models.embedder, manifest.snapshot),
                opened_at=time.time(),
                seconds=time.monotonic() - started,
                problems=tuple(problems),
                storage=storage,
            )
        except Damaged as error:
            problems.append(str(error))
            continue
        place.mark(manifest.snapshot, opened)
        # Forgotten before it was marked, its files may be collected; afterwards, they stay as long as the mark.
        if place.objects.exists(place.snapshots.name(manifest.snapshot)):
            return opened
    if problems and snapshot is not None:
        raise Damaged(f"{problems[0]} Build again, or open another snapshot. The originals are safe.")
    if problems:
        raise Damaged(f"{problems[0]} No intact snapshot is left; build again. The originals are safe.")
    raise NotFound("Nothing is built in this notebook yet. Add files first.")


def _storage_over(table: ChunkTable) -> StorageContext:
    from rag.llamaindex.index import storage_over  # imports llama-index: seconds, for whoever wants it

    return storage_over(table)


def _pinned(place: Place, manifest: Manifest) -> tuple[ChunkTable, Space]:
    """The table of chunks and the space of a snapshot, which agree with its manifest."""
    pinned = manifest.tables["chunks"]
    try:
        table = place.chunks(manifest, clearing=True)
    except NotFound as error:
        raise Damaged(f"{pinned.path} of snapshot {manifest.snapshot} is missing.") from error
    if table.count != pinned.rows:
        raise Damaged(
            f"{pinned.path} of snapshot {manifest.snapshot} has {table.count:,} rows instead of {pinned.rows:,}."
        )
    if table.space != manifest.space_fp:
        raise Damaged(f"{pinned.path} of snapshot {manifest.snapshot} belongs to another embedding space.")
    # Written in the manifest too, so that a snapshot opens when the space's own description is damaged.
    space = Space(**manifest.recipe["embedder"])
    if space.fingerprint != manifest.space_fp:
        raise Damaged(f"The recipe of snapshot {manifest.snapshot} does not name the space of its vectors.")
    return table, space

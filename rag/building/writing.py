"""The second step of a build: chunks and their vectors into the table, batch by batch, and nothing published.

The order is the promise. Vectors are in the cache, durable, before they are used. What is written lies ahead of the
version that the newest snapshot pins: a crash leaves it there, unread, for the next build to go back over. So nothing
is lost that has no replacement yet, though a source's old chunks go with the first batch of its new ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.building.attempt import DISTURBED, Attempt
from rag.building.chunking import Part, batches, chunk_rows
from rag.building.ground import Ground
from rag.building.results import Read
from rag.building.spool import Spool
from rag.errors import Conflict
from rag.fingerprint import vector_key
from rag.home.place import Place
from rag.progress import Stage
from rag.reading.splitting import Piece
from rag.spaces.recipe import recipe_fingerprint, wanted_recipe
from rag.spaces.space import Space
from rag.tables.chunk_rows import ChunkRow
from rag.tables.chunk_table import ChunkTable
from rag.tables.healing import HealingCache
from rag.tables.tidying import tidy
from rag.wording.changes import made

_LOOKED_UP = 4096
"""Keys looked up in one go, for counting."""

Vectors = dict[bytes, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Needed:
    """What the chunks of a build need in a space: how many different texts (`total`), how many of them have a vector
    already, whether it passes its check or not (`had`), and the cache that has them."""

    space: Space
    cache: HealingCache
    total: int
    had: int

    @property
    def lacking(self) -> bool:
        """Whether anything must be paid for: only then a model is called."""
        return self.total > self.had


@dataclass(frozen=True)
class Written:
    """A table that has every chunk that is wanted, not yet published. `reads` say what was embedded for each source,
    `sample` are rows as they were written, and `healed` says what became of a damaged vector cache, if it was one."""

    ground: Ground
    space: Space
    recipe: dict[str, Any]
    table: ChunkTable
    reads: tuple[Read, ...]
    sample: tuple[ChunkRow, ...]
    healed: str | None


def key_of(space: Space, piece: Piece) -> bytes:
    """Address of the vector of a chunk."""
    return vector_key(space.fingerprint, "text", piece.embed_text)


def needed(place: Place, reads: Iterable[Read], spool: Spool, space: Space) -> Needed:
    """Count what will be paid for, without calling a model."""
    cache = HealingCache(place.cache_folder(space.fingerprint), space.dimensions)
    seen: set[bytes] = set()
    asked: list[bytes] = []
    had = 0
    for read in reads:
        for piece in spool.pieces(read.kept) if read.kept else ():
            key = key_of(space, piece)
            if key not in seen:
                seen.add(key)
                asked.append(key)
            if len(asked) == _LOOKED_UP:
                had += len(cache.having(asked))
                asked.clear()
    had += len(cache.having(asked)) if asked else 0
    return Needed(space, cache, len(seen), had)


def write(
    attempt: Attempt, ground: Ground, table: ChunkTable, reads: Sequence[Read], spool: Spool, need: Needed
) -> Written:
    """Bring `table` to what is wanted.

    Raises:
        Cancelled: somebody wished it; what was paid for is in the cache.
        Conflict: somebody wrote into the table without the lease.
        ModelError, StoreError
    """
    recipe = wanted_recipe(attempt.config, need.space)
    recipe_fp = recipe_fingerprint(recipe)
    paying = _Paying(attempt, need)
    sample: list[ChunkRow] = []
    for batch in batches([read for read in reads if not read.failure], spool):
        attempt.stop_if_cancelled()
        sample += _write_batch(attempt, table, batch, paying, recipe_fp)
    attempt.stages["embed"] = time.monotonic() - paying.started - attempt.stages.get("write", 0.0)
    if ground.todo.drop:
        before = table.version
        if table.delete_sources([row.source_id for row in ground.todo.drop]) > before + 1:
            raise Conflict(DISTURBED)
    attempt.tell(Stage.WRITE, 0, 1)
    with attempt.timed("tidy"):
        tidy(table)
        need.cache.compact()
    told = tuple(replace(read, embedded=paying.embedded.get(read.row.source_id, 0)) for read in reads)
    return Written(ground, need.space, recipe, table, told, tuple(sample), need.cache.repaired)


def _write_batch(
    attempt: Attempt, table: ChunkTable, batch: Sequence[Part], paying: _Paying, recipe_fp: str
) -> list[ChunkRow]:
    """Pay for what is missing, and write; gives the first row. Texts, vectors and rows go when this returns."""
    keys = [[key_of(paying.space, piece) for piece in part.pieces] for part in batch]
    vectors = paying.vectors(batch, keys)
    with attempt.timed("write"):
        parts = zip(batch, keys, strict=True)
        rows = [row for part, its in parts for row in chunk_rows(part, its, vectors, recipe_fp)]
        _commit(table, batch, rows)
    return rows[:1]


def _commit(table: ChunkTable, batch: Sequence[Part], rows: Sequence[ChunkRow]) -> None:
    """One commit: a source's chunks in place of those it had, or after those that this build has just written."""
    before = table.version
    ids = [part.read.row.source_id for part in batch]
    after = table.replace(ids, rows) if batch[0].first else table.append(rows)
    if after > before + 1:
        raise Conflict(DISTURBED)


class _Paying:
    """Finds the vectors of batch after batch, and pays for those that are missing. `embedded` counts by source id."""

    def __init__(self, attempt: Attempt, need: Needed) -> None:
        self.started = time.monotonic()
        self.embedded: dict[str, int] = {}
        self.space = need.space
        self._attempt = attempt
        self._need = need
        self._paid = 0
        self._seen: set[bytes] = set()
        if need.lacking:
            attempt.place.journal.write(need.had, need.total)

    def vectors(self, batch: Sequence[Part], keys: Sequence[Sequence[bytes]]) -> Vectors:
        """Vectors of all chunks of a batch; the missing ones are paid for, and saved as they come."""
        parts = zip(batch, keys, strict=True)
        texts = {key: piece.embed_text for part, its in parts for key, piece in zip(its, part.pieces, strict=True)}
        vectors = self._need.cache.find(list(texts))
        missing = [key for key in texts if key not in vectors]
        self._attribute(batch, keys, set(missing) - self._seen)
        self._seen.update(missing)
        if missing:  # else no model is made
            paid = self._attempt.payments.embed([texts[key] for key in missing], self._attempt.watch.cancelled)
            with closing(paid):
                for found, matrix in paid:
                    fresh = [missing[index] for index in found]
                    self._need.cache.add(fresh, matrix)  # before anything else: this is paid for
                    vectors |= zip(fresh, matrix, strict=True)
                    self._paid += len(fresh)
                    self._attempt.place.journal.write(self._need.had + self._paid, self._need.total)
                    self._tell()
        return vectors

    def _attribute(self, batch: Sequence[Part], keys: Sequence[Sequence[bytes]], fresh: set[bytes]) -> None:
        """Count what is paid for, for the first source that needs it: a text that two share is paid for once."""
        for part, its in zip(batch, keys, strict=True):
            row = part.read.row
            self.embedded[row.source_id] = self.embedded.get(row.source_id, 0) + len(fresh.intersection(its))
            fresh.difference_update(its)
            if part.last:
                self._tell(row.name, made(part.read.chunks, self.embedded[row.source_id]))

    def _tell(self, source: str | None = None, outcome: str | None = None) -> None:
        lacking = self._need.total - self._need.had
        self._attempt.tell(Stage.EMBED, self._paid, lacking, source, outcome, since=self.started)

"""Sources to chunks: read each in the child process, split, and turn pieces with their vectors into rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag import old_sentences
from rag.building.results import Read
from rag.building.spool import Spool, Spooled
from rag.changes import Code
from rag.config import Config
from rag.errors import ReadError
from rag.fingerprint import chunk_id
from rag.home.place import Place
from rag.models.tokens import tokenizer_for
from rag.reading.isolation import Readers
from rag.reading.places import Page
from rag.reading.splitting import Piece, pieces_of
from rag.sources.rows import SourceRow
from rag.tables.chunk_rows import ChunkRow
from rag.text.languages import held, samples_apart, told_by

GROUP = 2048
"""Chunks written in one commit of the table: bounds the texts in memory, and their vectors (2,048 × 3,072 × 4 bytes =
25 MB)."""


@dataclass(frozen=True)
class Text:
    """A source as text: its chunks are made while they are iterated, once. `failure` says why there are none."""

    row: SourceRow
    pieces: Iterator[Piece] = field(default_factory=lambda: iter(()))
    media_type: str = ""
    pages: tuple[Page, ...] = ()
    failure: str = ""


def read_each(rows: Sequence[SourceRow], path_of: Callable[[SourceRow], Path], config: Config) -> Iterator[Text]:
    """Read and split sources, one after the other; be done with one before asking for the next. A source that cannot be
    read has its `failure` said; `path_of` may raise the ReadError that says so."""
    offsets = tokenizer_for(config).count_offsets
    with Readers() as readers:
        for row in rows:
            try:
                reading = readers.read(row.name, path_of(row))
            except ReadError as error:
                yield Text(row, failure=str(error))
                continue
            pieces = pieces_of(reading, size=config.chunk_size, overlap=config.chunk_overlap, offsets=offsets)
            media_type, pages = reading.media_type, reading.pages
            del reading  # only the chunks hold it now
            yield Text(row, pieces, media_type, pages)


def spooled(text: Text, spool: Spool) -> Read:
    """A source whose chunks wait in `spool` to be written."""
    if text.failure:
        return Read(text.row, failure=text.failure)
    kept = spool.put(text.pages, text.pieces)
    return Read(text.row, kept.chunks, text.media_type, kept=kept)


@dataclass(frozen=True)
class Part:
    """Chunks of one source that are written together: all of them as a rule, at most `GROUP` of a larger one.
    `language` tells what a chunk of this source is written in."""

    read: Read
    pieces: Sequence[Piece]
    pages: tuple[Page, ...]
    language: Callable[[str], str]
    first: bool
    last: bool


def batches(reads: Iterable[Read], spool: Spool) -> Iterator[list[Part]]:
    """The chunks of sources in batches of at most `GROUP`: whole sources, as many as there is room for; a larger source
    by itself, in as many batches as it takes. A source without chunks is in one too."""
    batch: list[Part] = []
    size = 0
    for read in reads:
        if batch and size + read.chunks > GROUP:
            yield batch
            batch, size = [], 0
        for part in _parts(read, spool):
            batch.append(part)
            size += len(part.pieces)
            if not part.last:
                yield batch
                batch, size = [], 0
        del part  # the batch alone holds it, so that it goes with the batch
    if batch:
        yield batch


def _parts(read: Read, spool: Spool) -> Iterator[Part]:
    kept = read.kept or Spooled(0, 0)
    pages = spool.pages(kept) if read.chunks else ()
    pieces = spool.pieces(kept)
    if read.chunks <= GROUP:
        whole = list(pieces)
        samples = [piece.text for piece in whole[:: samples_apart(read.chunks)]]
        yield Part(read, whole, pages, told_by(samples, read.chunks), first=True, last=True)
        return
    samples = [piece.text for piece in spool.pieces(kept, samples_apart(read.chunks))]
    language = told_by(samples, read.chunks)
    for start in range(0, read.chunks, GROUP):
        some = list(islice(pieces, GROUP))
        yield Part(read, some, pages, language, first=start == 0, last=start + GROUP >= read.chunks)


def chunk_rows(
    part: Part, keys: Sequence[bytes], vectors: Mapping[bytes, npt.NDArray[np.float32]], recipe_fp: str
) -> Iterator[ChunkRow]:
    """The rows of some chunks of a source, in order; `keys` are those of their vectors."""
    source_id = part.read.row.source_id
    with held():
        languages = [part.language(piece.text) for piece in part.pieces]
    for piece, key, language in zip(part.pieces, keys, languages, strict=True):
        heading = " › ".join(piece.headings)
        metadata: dict[str, Any] = {"source_id": source_id, "media_type": part.read.media_type}
        if piece.page is not None:
            metadata["page"] = piece.page
        if piece.page != piece.page_end:  # for citations, which name the page of a sentence and not of its chunk
            spanned = [page for page in part.pages if piece.start < page.end and page.start < piece.end]
            metadata["pages"] = [[page.number, page.start] for page in spanned]
        if heading:
            metadata["heading"] = heading
        yield ChunkRow(
            id=chunk_id(source_id, piece.ordinal, recipe_fp, piece.text),
            source_id=source_id,
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
            language=language,
        )


def came_back(place: Place, row: SourceRow) -> bool:
    """Whether a source failed for want of its original, which is there now."""
    lost = row.made.code in (Code.ORIGINAL_MISSING, Code.ORIGINAL_DAMAGED)
    return lost and place.originals.intact(row.digest, row.size)


def original_of(place: Place, row: SourceRow, kept: Collection[str] = ()) -> Path:
    """Where the original of a source lies, intact. Of those just `kept`, by digest, only the size is looked at.

    Raises:
        ReadError: it is missing or damaged.
    """
    if not place.originals.has(row.digest):
        raise ReadError(old_sentences.MISSING)
    sound = place.originals.has if row.digest in kept else place.originals.intact
    if not sound(row.digest, row.size):
        raise ReadError(old_sentences.DAMAGED)
    return place.originals.path(row.digest)

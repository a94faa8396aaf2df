"""Sources to chunks: read each in the child process, split, and turn pieces with their vectors into rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.building.results import Read
from rag.config import Config
from rag.errors import ReadError
from rag.fingerprint import chunk_id
from rag.home.place import Place
from rag.models.tokens import tokenizer_for
from rag.reading.isolation import Readers
from rag.reading.splitting import split
from rag.sources.rows import SourceRow
from rag.tables.chunk_rows import ChunkRow
from rag.text.languages import detect_each

GROUP = 2048
"""Chunks written in one commit of the table: bounds the vectors in memory (2,048 × 3,072 × 4 bytes = 25 MB)."""

_NO_ORIGINAL = "The original "
"""Begins the one kind of reason for failing that the same bytes can cure."""


def read_all(rows: Sequence[SourceRow], path_of: Callable[[SourceRow], Path], config: Config) -> Iterator[Read]:
    """Read and split sources, one after the other. A source that cannot be read has its `failure` said; `path_of` may
    raise the ReadError that says so."""
    offsets = tokenizer_for(config).count_offsets
    with Readers() as readers:
        for row in rows:
            read = Read(row)
            try:
                reading = readers.read(row.name, path_of(row))
                read.media_type, read.pages = reading.media_type, reading.pages
                read.pieces = split(reading, size=config.chunk_size, overlap=config.chunk_overlap, offsets=offsets)
            except ReadError as error:
                read.failure = str(error)
            yield read


def grouped(reads: Sequence[Read]) -> Iterator[list[Read]]:
    """Whole sources in groups of about `GROUP` chunks."""
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


def chunk_rows(read: Read, vectors: Mapping[bytes, npt.NDArray[np.float32]], recipe_fp: str) -> Iterator[ChunkRow]:
    """The rows of one source, in order."""
    languages = detect_each([piece.text for piece in read.pieces])
    for piece, key, language in zip(read.pieces, read.keys, languages, strict=True):
        heading = " › ".join(piece.headings)
        metadata: dict[str, Any] = {"source_id": read.row.source_id, "media_type": read.media_type}
        if piece.page is not None:
            metadata["page"] = piece.page
        if piece.page != piece.page_end:  # for citations, which name the page of a sentence and not of its chunk
            spanned = [page for page in read.pages if piece.start < page.end and page.start < piece.end]
            metadata["pages"] = [[page.number, page.start] for page in spanned]
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
            language=language,
        )


def came_back(place: Place, row: SourceRow) -> bool:
    """Whether a source failed for want of its original, which is there now."""
    return row.reason.startswith(_NO_ORIGINAL) and place.originals.intact(row.digest, row.size)


def original_of(place: Place, row: SourceRow) -> Path:
    """Where the original of a source lies, intact.

    Raises:
        ReadError: it is missing or damaged.
    """
    if not place.originals.has(row.digest):
        raise ReadError(f"{_NO_ORIGINAL}is missing from the home. Add the file again.")
    if not place.originals.intact(row.digest, row.size):
        raise ReadError(f"{_NO_ORIGINAL}in the home is damaged: it is not what was added. Add the file again.")
    return place.originals.path(row.digest)

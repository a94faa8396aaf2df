"""What was wanted and what was paid for, put together again from what is left of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rag.config import Config
from rag.errors import Cancelled, ReadError
from rag.fingerprint import vector_key
from rag.home.place import Place
from rag.manifest import Manifest
from rag.models.tokens import tokenizer_for
from rag.progress import IsCancelled, never
from rag.reading.isolation import Readers
from rag.reading.splitting import Piece, split
from rag.sources.rows import SourceRow
from rag.spaces.recipe import same_texts, wanted_recipe
from rag.spaces.space import Space
from rag.storage.originals import bad_original
from rag.tables.vectors import VectorCache

# ---------------------------------------------------------------------- vectors


def read_again(
    place: Place, config: Config, rows: Sequence[SourceRow], *, cancelled: IsCancelled = never
) -> Iterator[tuple[SourceRow, list[Piece]]]:
    """The sources whose originals are intact, read and split as a build would do it.

    Raises:
        Cancelled: `cancelled()` came true.
    """
    offsets = tokenizer_for(config).count_offsets
    with Readers() as readers:
        for row in rows:
            if cancelled():
                raise Cancelled("Stopped. Nothing was changed.")
            if bad_original(place.originals, row.digest, None, deep=True) is not None:
                continue
            try:
                reading = readers.read(row.name, place.originals.path(row.digest))
            except ReadError:
                continue  # the build says why
            yield row, split(reading, size=config.chunk_size, overlap=config.chunk_overlap, offsets=offsets)


def indexed_vectors(
    place: Place, config: Config, manifest: Manifest, read: Sequence[tuple[SourceRow, list[Piece]]]
) -> dict[str, npt.NDArray[np.float32]]:
    """Texts as sent to the model, with their vectors in a snapshot's chunk table: paid for, wherever else they lack.

    Only for a snapshot whose recipe sends the texts that `config` asks for: other readers or sizes make other texts.
    """
    space = Space(**manifest.recipe["embedder"])
    if not same_texts(wanted_recipe(config, space), manifest.recipe):
        return {}
    reader = place.chunks(manifest).reader()
    found: dict[str, npt.NDArray[np.float32]] = {}
    for row, pieces in read:
        chunks = {(one.ordinal, one.text): one for one in reader.rows_of_source(row.source_id, with_vectors=True)}
        for piece in pieces:
            chunk = chunks.get((piece.ordinal, piece.text))
            # The headings are sent too: another path would be another text.
            if chunk is not None and chunk.vector is not None and chunk.heading == " › ".join(piece.headings):
                found[piece.embed_text] = chunk.vector
    return found


def refill(cache: VectorCache, space_fp: str, vectors: Mapping[str, npt.NDArray[np.float32]]) -> int:
    """Put vectors of texts back into the cache where it lacks them; gives how many it lacked."""
    keys = {vector_key(space_fp, "text", text): vector for text, vector in vectors.items()}
    there = cache.find(list(keys))
    lacking = {key: vector for key, vector in keys.items() if key not in there}
    if lacking:
        cache.add(list(lacking), np.stack(list(lacking.values())))
    return len(lacking)

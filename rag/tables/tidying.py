"""Keeping a table of chunks quick: joining its pieces, and bringing its text index up to date."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rag.errors import Damaged
from rag.tables.chunk_table import ChunkTable
from rag.tables.lance_files import files_of, set_aside_torn, shape_of
from rag.tables.text_index import TEXT_INDEX

# `optimize()` copies all data and the whole text index, rebuilding the index copies the index, and a query pays for
# each row not yet in it (15 to 75 µs) and each fragment. Hence rarely, and each for its own reason.
_FRAGMENTS_AT_MOST = 32
_WAITING_AT_LEAST, _WAITING_AT_MOST, _WAITING_SHARE = 64, 2000, 50
_DELETED_AT_LEAST = 1024
_KEEP_ALL_VERSIONS = timedelta(days=36500)  # manifests pin old versions: only their owner may retire them


def tidy(table: ChunkTable) -> int:
    """Compact and bring the text index up to date, where it is worth its bytes. Returns the version.

    No old version is removed. A pinned table stays as it is.
    """
    if table.pinned:
        return table.version
    try:
        files_of(table.path, table.version)
    except Damaged:
        # The index can be made anew from the rows; where it is the rows that are damaged, this fails by name.
        table.rebuild_text_index()
    shape = shape_of(table.path, table.version)
    if shape.fragments > _FRAGMENTS_AT_MOST or shape.deleted > max(_DELETED_AT_LEAST, shape.rows):
        return _compacted(table)
    waiting = table.unindexed()
    limit = max(_WAITING_AT_LEAST, min(shape.rows // _WAITING_SHARE, _WAITING_AT_MOST))
    return table.rebuild_text_index() if waiting is None or waiting > limit else table.version


def _compacted(table: ChunkTable) -> int:
    """All rows into one fragment, then the text index anew."""

    def drop_index(lance: Any) -> int:
        if any(index.name == TEXT_INDEX for index in lance.list_indices()):
            lance.drop_index(TEXT_INDEX)
        return int(lance.version)

    def optimize(lance: Any) -> int:
        set_aside_torn(table.path, 0)  # Lance reads every version, and a power cut tears those nobody pinned
        lance.optimize(cleanup_older_than=_KEEP_ALL_VERSIONS)
        return int(lance.version)

    # Without the index: optimize() would copy it twice (moved rows, then merged), would not join fragments that are in
    # it with such that are not, and passes over a damaged one in silence.
    table.commit(drop_index)
    table.commit(optimize)
    return table.rebuild_text_index()

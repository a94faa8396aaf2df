"""Chunk rows: what a row holds, the columns of the table, and the way between the two.

Tables of format 1 lack the columns `language` and `terms`; they are used as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rag.errors import Damaged, NewerFormat, StoreError, VectorInvalid
from rag.text.analysis import terms

FORMAT = 2
"""2 has the columns `language` and `terms`, and its text index on `terms`. Tables of 1 are used as they are."""
_MARK = b"ragbook"

_PLACES = ("page", "page_end", "start", "end")
COLUMNS_1 = ("id", "source_id", "ordinal", "text", *_PLACES, "heading", "metadata", "node")
COLUMNS = (*COLUMNS_1, "language")
"""What a row is read from, besides its vector; without the language in format 1."""


@dataclass(frozen=True)
class ChunkRow:
    """One chunk: a passage of a source, where it stands, and its vector.

    Attributes:
        ordinal: position among the chunks of its source, from 0.
        page, page_end: first and last page, from 1; None where the format has no pages.
        start, end: character range in the source's text.
        metadata: JSON; what filters look at.
        language: ISO 639-1 code of the language its words are analysed in; empty where unknown, and in format 1.
        node: JSON of what a llama-index node needs beyond these; None for chunks written by the pipeline.
        vector: float32 (d,), L2-normalised; None when read without.
    """

    id: str
    source_id: str
    ordinal: int
    text: str
    page: int | None = None
    page_end: int | None = None
    start: int | None = None
    end: int | None = None
    heading: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    node: dict[str, Any] | None = None
    vector: NDArray[np.float32] | None = field(default=None, compare=False)
    language: str = ""


def chunk_schema(dimensions: int, space: str, version: int = FORMAT) -> pa.Schema:
    """The table's columns, with what it says of itself: format, dimensions, space."""
    text, int32, int64 = pa.string(), pa.int32(), pa.int64()
    described = json.dumps({"format": version, "dimensions": dimensions, "space": space}, sort_keys=True)
    analysed = [pa.field("language", text, nullable=False), pa.field("terms", text, nullable=False)]
    return pa.schema(
        [
            pa.field("id", text, nullable=False),
            pa.field("source_id", text, nullable=False),
            pa.field("ordinal", int32, nullable=False),
            pa.field("text", text, nullable=False),
            pa.field("page", int32),
            pa.field("page_end", int32),
            pa.field("start", int64),
            pa.field("end", int64),
            pa.field("heading", text, nullable=False),
            pa.field("metadata", text, nullable=False),
            pa.field("node", text),
            *(analysed if version > 1 else ()),
            pa.field("vector", pa.list_(pa.float32(), dimensions), nullable=False),
        ],
        metadata={_MARK: described.encode()},
    )


def is_analysed(schema: pa.Schema) -> bool:
    """Whether the table has the columns `language` and `terms`: format 2 or later."""
    return "terms" in schema.names


def description(path: Path, schema: pa.Schema) -> dict[str, Any]:
    """What a schema says of its table: `format`, `dimensions`, `space`.

    Raises:
        Damaged: it is no table of Ragbook.
        NewerFormat: a newer Ragbook wrote it.
    """
    try:
        described = json.loads((schema.metadata or {})[_MARK])
        newer = described["format"] > FORMAT
        complete = isinstance(described["dimensions"], int) and isinstance(described["space"], str)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{path.name} is damaged, or no table of Ragbook: its schema does not say what it is.") from error
    if newer:
        raise NewerFormat(f"{path.name} has format {described['format']}; this Ragbook reads up to {FORMAT}.")
    if not complete or not schema.equals(
        chunk_schema(described["dimensions"], described["space"], described["format"])
    ):
        raise Damaged(f"{path.name} is damaged, or no table of Ragbook: its columns are not the expected ones.")
    return dict(described)


def to_arrow(rows: Sequence[ChunkRow], dimensions: int, version: int) -> pa.Table:
    """Rows as the table has them; of two with one id the later counts.

    Raises:
        VectorInvalid: a vector is not float32 of shape (d,), not finite, or not of length 1 within 0.001.
        StoreError: a row cannot be stored.
    """
    unique = list({row.id: row for row in rows}.values())
    vectors = _checked_vectors(unique, dimensions)
    schema = chunk_schema(dimensions, "", version).remove_metadata()
    names = COLUMNS if version > 1 else COLUMNS_1
    try:
        columns: dict[str, Any] = {name: [getattr(row, name) for row in unique] for name in names}
        columns["metadata"] = [json.dumps(row.metadata, ensure_ascii=False) for row in unique]
        columns["node"] = [None if row.node is None else json.dumps(row.node, ensure_ascii=False) for row in unique]
        if version > 1:
            # A chunk is found by the headings it stands under too.
            columns["terms"] = [" ".join(terms(f"{row.heading}\n{row.text}", row.language)) for row in unique]
        columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dimensions)
        return pa.table({name: columns[name] for name in schema.names}, schema=schema)
    except UnicodeEncodeError as error:
        raise StoreError("A chunk holds half of a surrogate pair, which is no text and cannot be stored.") from error
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise StoreError(f"A chunk cannot be stored: {error}") from error


def _checked_vectors(rows: Sequence[ChunkRow], dimensions: int) -> NDArray[np.float32]:
    matrix = np.empty((len(rows), dimensions), dtype=np.float32)
    for number, row in enumerate(rows):
        vector = row.vector
        if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.shape != (dimensions,):
            found = "none" if vector is None else f"{getattr(vector, 'dtype', '?')} {getattr(vector, 'shape', '?')}"
            raise VectorInvalid(f"The vector of chunk {row.id!r} is {found}; expected float32 ({dimensions},).")
        matrix[number] = vector
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= 1e-3))
    if len(wrong):
        row = rows[int(wrong[0])]
        raise VectorInvalid(
            f"The vector of chunk {row.id!r} has length {lengths[wrong[0]]:.4g}; expected 1, with finite numbers."
        )
    return matrix


def from_arrow(found: pa.Table, path: Path) -> list[ChunkRow]:
    """Rows that were read, in their order; with vectors where that column was read.

    Raises:
        Damaged: what should be JSON is none.
    """
    columns = {name: found[name].to_pylist() for name in COLUMNS if name in found.column_names}
    try:
        columns["metadata"] = [json.loads(one) for one in columns["metadata"]]
        columns["node"] = [None if one is None else json.loads(one) for one in columns["node"]]
    except ValueError as error:
        raise Damaged(f"{path.name} is damaged: metadata that is no JSON.") from error
    if "vector" in found.column_names:
        flat = found["vector"].combine_chunks().flatten().to_numpy()
        columns["vector"] = list(flat.reshape(found.num_rows, -1)) if found.num_rows else []
    names = list(columns)
    return [ChunkRow(**dict(zip(names, values, strict=True))) for values in zip(*columns.values(), strict=True)]


def encodable(value: str) -> bool:
    """Whether a string is text that a table can hold: no half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True

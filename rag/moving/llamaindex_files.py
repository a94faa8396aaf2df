"""The folder that llama-index's own `persist()` writes, read as what it is: JSON from somebody else.

Only its JSON files are read, by name; nothing is ever unpickled. Numbers of vectors are turned into float32 one
vector at a time, because a list of Python floats takes eight times the memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.storage.docstore.utils import json_to_doc

from rag.errors import Damaged, NotFound, SourceTooLarge
from rag.storage.failures import translated

DOCSTORE = "docstore.json"
VECTORS = ("default__vector_store.json", "vector_store.json")
MAX_BYTES = 4 << 30
"""Largest file that is read; llama-index writes about 32 KB for a chunk of 1,536 dimensions."""

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
# What llama-index writes. Python's formatting can do more, such as filling the memory with blanks.
_TEMPLATE = re.compile(r"(?:[^{}]|\{(?:key|value|metadata_str|content)\})*")


@dataclass(frozen=True)
class StoredNode:
    """One chunk as llama-index cut it. `embed_text` is what it sent to the model; `document` its ref_doc_id, empty
    where it has none; `start` and `end` its characters in that document, if it said so."""

    id: str
    text: str
    embed_text: str
    metadata: dict[str, Any]
    document: str
    start: int | None
    end: int | None


@dataclass(frozen=True)
class StoredIndex:
    """What a folder holds: chunks in the order of the docstore, and their vectors as stored, (n, d) float32.

    `vectors` is None, with the reason in `problem`, where they cannot be used as they are. `left_out` counts nodes
    without text, and nodes without a vector where others have one: parents of chunks, or what a crash left.
    """

    nodes: tuple[StoredNode, ...]
    vectors: npt.NDArray[np.float32] | None
    problem: str
    left_out: int


def read_index(folder: Path) -> StoredIndex:
    """Read a folder written by `index.storage_context.persist(folder)`.

    Raises:
        NotFound: it has no docstore.
        Damaged: a file is torn, is not JSON, or holds values of another kind than llama-index writes; names it.
        SourceTooLarge: a file is larger than `MAX_BYTES`.
    """
    if not (folder / DOCSTORE).is_file():
        raise NotFound(f"{folder} has no {DOCSTORE}, so it is no folder that llama-index's persist() wrote.")
    nodes = _nodes(folder)
    vectors, problem = _vectors(folder)
    chosen = [node for node in nodes if node.text.strip() and (not vectors or node.id in vectors)]
    if not chosen:
        raise Damaged(f"{DOCSTORE} holds no text that is in the index. There is nothing to import.")
    matrix = None
    if vectors:
        widths = {len(vectors[node.id]) for node in chosen}
        if len(widths) == 1:
            matrix = np.stack([vectors[node.id] for node in chosen])
        else:
            problem = f"its vectors have {' or '.join(str(one) for one in sorted(widths))} dimensions"
    return StoredIndex(tuple(chosen), matrix, problem, len(nodes) - len(chosen))


def _nodes(folder: Path) -> list[StoredNode]:
    found = []
    with _named(DOCSTORE):
        cursor = _Cursor(_text(folder / DOCSTORE))
        for key in cursor.fields():
            if key == "docstore/data":
                found += [_node(cursor.value()) for _ in cursor.fields()]
    if len({node.id for node in found}) != len(found):
        raise Damaged(f"{DOCSTORE} is damaged: two nodes have one id.")
    return found


def _node(value: Any) -> StoredNode:
    fields = value["__data__"]
    for name in ("metadata_template", "text_template", "metadata_seperator", "metadata_separator"):
        if not _TEMPLATE.fullmatch(fields.get(name) or ""):
            raise ValueError(f"{name} is not one that llama-index writes")
    node: BaseNode = json_to_doc(value)
    start, end = (getattr(node, name, None) for name in ("start_char_idx", "end_char_idx"))
    return StoredNode(
        id=node.node_id,
        text=_whole(node.get_content(metadata_mode=MetadataMode.NONE)),
        embed_text=_whole(node.get_content(metadata_mode=MetadataMode.EMBED)),
        # Through text once more, so that a lone surrogate deep inside is met here and not while writing.
        metadata=json.loads(_whole(json.dumps(node.metadata, ensure_ascii=False, allow_nan=False))),
        document=_whole(node.ref_doc_id or ""),
        start=start,
        end=end,
    )


def _vectors(folder: Path) -> tuple[dict[str, npt.NDArray[np.float32]], str]:
    name = next((name for name in VECTORS if (folder / name).is_file()), None)
    if name is None:
        return {}, "it has no vectors in JSON"
    found: dict[str, npt.NDArray[np.float32]] = {}
    with _named(name):
        cursor = _Cursor(_text(folder / name))
        for key in cursor.fields():
            if key != "embedding_dict":
                continue
            for node in cursor.fields():
                value = cursor.value()
                if not isinstance(value, list) or any(type(one) not in (int, float) for one in value):
                    raise TypeError(f"the vector of {node[:80]!r} is not a list of numbers")
                with np.errstate(over="ignore"):
                    found[node] = np.asarray(value, dtype=np.float32)
    lengths = [float(np.linalg.norm(vector.astype(np.float64))) for vector in found.values()]
    if not all(np.isfinite(length) and length > 0 for length in lengths):
        return {}, "one of its vectors is zero or not finite"
    return found, "" if found else "it has no vectors"


def _text(path: Path) -> str:
    with translated(str(path)):
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SourceTooLarge(f"{path.name} has {size / 1e9:,.1f} GB, and the limit is {MAX_BYTES / 1e9:,.1f} GB.")
        return path.read_text("utf-8")


class _Cursor:
    """A place in a JSON text that moves on value by value, so that a large object is never in memory as a whole."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def fields(self) -> Iterator[str]:
        """Name of each field of the object here. Take its value with `value` or `fields`, or it is passed over."""
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return
        while True:
            name = self.value()
            if not isinstance(name, str):
                raise TypeError("a field has no name")
            self._expect(":")
            self._next()
            before = self._at
            yield name
            if self._at == before:
                self.value()
            if self._next() == "}":
                self._at += 1
                return
            self._expect(",")

    def value(self) -> Any:
        """The value here."""
        self._next()
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value

    def _next(self) -> str:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def _expect(self, char: str) -> None:
        found = self._next()
        if found != char:
            raise ValueError(f"{char!r} was expected at character {self._at:,}, and {found or 'the end'!r} is there")
        self._at += 1


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turns whatever JSON of the wrong kind leads to into `Damaged`, with the file's name."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, IndexError) as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise Damaged(f"{name} cannot be read as llama-index writes it: {first or repr(error)}.") from error


def _whole(text: str) -> str:
    """Without lone surrogates, which have no UTF-8 form."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text

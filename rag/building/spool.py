"""The chunks of a build between being read and being written: in a nameless file, so that the texts of a folder need
not fit into memory, and none of them is left lying anywhere.

Reading comes first and whole, because only then it is known what will be paid for; writing goes batch by batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, Self

from rag.reading.places import Page
from rag.reading.splitting import Piece
from rag.storage.failures import translated
from rag.storage.objects import TEMPORARY

_IN_MEMORY = 4 << 20
"""Bytes up to which there is no file at all: a few documents never touch the disk."""


@dataclass(frozen=True)
class Spooled:
    """Where the chunks of one source are in a spool: the byte they begin at, and how many they are."""

    at: int
    chunks: int


class Spool:
    """Chunks of sources, one JSON line each, behind a line with the pages of their source.

    The file lies in `folder` and goes when it is closed, or when the process dies. Raises StoreError where the disk is
    full, or `folder` cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._name = folder.name
        self._end = 0
        # The prefix is for systems on which the file has a name for a moment: whatever has it is garbage.
        self._file = SpooledTemporaryFile(_IN_MEMORY, dir=str(folder), prefix=TEMPORARY)  # noqa: SIM115 `__exit__` closes it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def put(self, pages: Sequence[Page], pieces: Iterable[Piece]) -> Spooled:
        """Keep the chunks of a source, each as it is made."""
        at, chunks = self._end, 0
        with translated(self._name):
            self._file.seek(at)
            self._write([[page.number, page.start, page.end] for page in pages])
            for piece in pieces:
                # What the model is sent ends with the text.
                prefix = piece.embed_text.removesuffix(piece.text)
                places = [piece.start, piece.end, piece.page, piece.page_end]
                self._write([piece.ordinal, piece.text, *places, list(piece.headings), prefix])
                chunks += 1
        return Spooled(at, chunks)

    def pages(self, kept: Spooled) -> tuple[Page, ...]:
        """The pages of a source."""
        return tuple(Page(*page) for page in next(self._lines(kept.at, 1)))

    def pieces(self, kept: Spooled, every: int = 1) -> Iterator[Piece]:
        """The chunks of a source, in order; with `every`, the first and each so many after it."""
        lines = self._lines(kept.at, kept.chunks + 1)
        for ordinal, text, start, end, page, page_end, headings, prefix in islice(lines, 1, None, every):
            yield Piece(ordinal, text, start, end, page, page_end, tuple(headings), prefix + text)

    def _write(self, fields: list[Any]) -> None:
        line = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        self._file.write(line)
        self._end += len(line)

    def _lines(self, at: int, count: int) -> Iterator[list[Any]]:
        for _ in range(count):
            with translated(self._name):
                self._file.seek(at)  # several may be read in turns
                line = self._file.readline()
            at += len(line)
            fields: list[Any] = json.loads(line.decode("utf-8", "surrogatepass"))
            yield fields

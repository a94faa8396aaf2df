"""Cells: questions and their answers, kept so that they survive a restart. Immutable objects, one each."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rag.checked import FORMAT, dump_checked, load_checked
from rag.citing.answer import Answer, Citation, Passage
from rag.errors import Damaged, NotFound
from rag.manifest import Receipt, VerdictName
from rag.sources.restriction import Restriction
from rag.storage import layout
from rag.storage.objects import Objects
from rag.storage.stamp import now


@dataclass(frozen=True)
class Cell:
    """One question with its answer. `created` is ISO 8601 in UTC."""

    id: str
    created: str
    answer: Answer


class Cells:
    """The cells of one notebook."""

    def __init__(self, objects: Objects, slug: str) -> None:
        self._objects = objects
        self._slug = slug

    def all(self) -> list[Cell]:
        """Every cell that passes its check, oldest first."""
        cells = []
        for name in self._objects.names(layout.cells(self._slug)):
            try:
                cells.append(_parse(load_checked(self._objects.get(name), name), name))
            except (Damaged, NotFound):
                continue  # one unreadable answer must not hide the others; `doctor` names it
        return sorted(cells, key=lambda cell: (cell.created, cell.id))

    def keep(self, answer: Answer) -> Cell:
        """Save an answer as a new cell."""
        cell = Cell(uuid.uuid4().hex, now(), answer)
        self.put_back(cell)
        return cell

    def put_back(self, cell: Cell) -> None:
        """Save a cell under its own id and time: the undo of `drop`."""
        body = {"format": FORMAT, "id": cell.id, "created": cell.created, "answer": asdict(cell.answer)}
        self._objects.create(layout.cells(self._slug, cell.id), dump_checked(body))

    def drop(self, cell_id: str) -> None:
        """Remove a cell; none of that id is fine."""
        if cell_id.isalnum():
            self._objects.delete(layout.cells(self._slug, cell_id))


def _parse(body: Mapping[str, Any], name: str) -> Cell:
    try:
        answer = dict(body["answer"])
        answer["citations"] = tuple(Citation(**one) for one in answer["citations"])
        answer["passages"] = tuple(_passage(one) for one in answer["passages"])
        answer["receipt"] = Receipt(**answer["receipt"])
        answer["verdict"] = VerdictName(answer["verdict"])
        answer["notes"] = tuple(answer["notes"])
        answer["only"] = _restriction(answer.get("only"))
        return Cell(str(body["id"]), str(body["created"]), Answer(**answer))
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{name} fails its check: {error!r} while reading its fields.") from error


def _passage(fields: Mapping[str, Any]) -> Passage:
    lists = {"also_in": tuple(fields["also_in"]), "joined": tuple(fields.get("joined", ()))}
    return Passage(**{**fields, **lists})


def _restriction(fields: Mapping[str, Any] | None) -> Restriction | None:
    if fields is None:
        return None
    pages = fields["pages"]
    between = None if pages is None else (int(pages[0]), int(pages[1]))
    tags = tuple(fields.get("tags", ()))
    return Restriction(tuple(fields["sources"]), tuple(fields["types"]), str(fields["since"]), between, tags)

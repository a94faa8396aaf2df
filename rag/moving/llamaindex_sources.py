"""Chunks that llama-index cut, put together to sources again: one for each file they came from.

llama-index keeps chunks, and of their documents as a rule no text. A PDF is one document per page there, so the file
is the larger unit. Every chunk's text stands in the text of its source, at the characters its row says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rag.moving.llamaindex_files import StoredNode
from rag.sources.names import safe_name

_READ_AS_TEXT = (".txt", ".md", ".markdown")
_GAP = 1000  # characters between two chunks that may be white space the splitter dropped; more is missing text
_LARGEST_PAGE = 1_000_000


@dataclass(frozen=True)
class Placed:
    """A chunk and where it stands: characters `start` to `end` (exclusive) of its source's text, and its page."""

    node: StoredNode
    number: int
    start: int
    end: int
    page: int | None
    heading: str


@dataclass(frozen=True)
class AdoptedSource:
    """A source with its text and its chunks in order. `Placed.number` is a chunk's place in what was given."""

    name: str
    text: str
    chunks: tuple[Placed, ...]


def sources_of(nodes: Sequence[StoredNode]) -> list[AdoptedSource]:
    """Sources in the order of their first chunk, each under a name of its own."""
    groups: dict[str, list[tuple[int, StoredNode]]] = {}
    for number, node in enumerate(nodes):
        groups.setdefault(_file_of(node), []).append((number, node))
    taken: set[str] = set()
    return [_source(_name(members[0][1], taken), members) for members in groups.values()]


def _file_of(node: StoredNode) -> str:
    for key in ("file_path", "file_name"):
        value = node.metadata.get(key)
        if isinstance(value, str) and value:
            return f"{key}:{value}"
    return f"document:{node.document}"


def _name(node: StoredNode, taken: set[str]) -> str:
    given = next(
        (value for key in ("file_name", "file_path") if isinstance(value := node.metadata.get(key), str) and value),
        node.document or "llama-index",
    )
    name = safe_name(PurePosixPath(given.replace("\\", "/")).name)
    # What is kept is the text, whatever it was read from: a reader for PDF would find no PDF in it.
    if not name.lower().endswith(_READ_AS_TEXT):
        name = safe_name(f"{name[:200]}.txt")
    stem, _, suffix = name.rpartition(".")
    number = 2
    while name in taken:
        name = f"{stem} ({number}).{suffix}"
        number += 1
    taken.add(name)
    return name


def _source(name: str, members: list[tuple[int, StoredNode]]) -> AdoptedSource:
    documents: dict[str, list[tuple[int, StoredNode]]] = {}
    for number, node in members:
        documents.setdefault(node.document, []).append((number, node))
    ordered = sorted(documents.values(), key=lambda one: _page(one[0][1]) or 0)  # stable: without pages as they came
    text = ""
    chunks: list[Placed] = []
    for document in ordered:
        if text:
            text += "\n\n"
        body, places = _restored(document) or _joined(document)
        for (number, node), start in places:
            at = len(text) + start
            chunks.append(Placed(node, number, at, at + len(node.text), _page(node), _heading(node)))
        text += body
    return AdoptedSource(name, text, tuple(chunks))


Places = list[tuple[tuple[int, StoredNode], int]]


def _restored(members: Sequence[tuple[int, StoredNode]]) -> tuple[str, Places] | None:
    """A document's text laid together from its chunks by their places in it; None where those do not fit."""
    ordered = sorted(members, key=lambda one: one[1].start if one[1].start is not None else -1)
    text = ""
    places: Places = []
    for member in ordered:
        node = member[1]
        start = node.start
        if start is None or start < 0 or node.end != start + len(node.text) or start > len(text) + _GAP:
            return None
        text += "\n" * (start - len(text))
        known = text[start : start + len(node.text)]
        if not node.text.startswith(known):
            return None
        text += node.text[len(known) :]
        places.append((member, start))
    return text, places


def _joined(members: Iterable[tuple[int, StoredNode]]) -> tuple[str, Places]:
    parts: list[str] = []
    places: Places = []
    at = 0
    for member in members:
        places.append((member, at))
        parts.append(member[1].text)
        at += len(member[1].text) + 2
    return "\n\n".join(parts), places


def _page(node: StoredNode) -> int | None:
    label = str(node.metadata.get("page_label", ""))
    return int(label) if label.isascii() and label.isdigit() and 0 < int(label[:9]) <= _LARGEST_PAGE else None


def _heading(node: StoredNode) -> str:
    path, heading = node.metadata.get("header_path"), node.metadata.get("heading")
    if isinstance(path, str):  # of llama-index's Markdown parser: `/A/B/`
        return " › ".join(part for part in path.split("/") if part)[:500]
    return heading[:500] if isinstance(heading, str) else ""

"""What it takes to get from a snapshot to what is wanted. Pure: no files, no models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rag.changes import Change
from rag.fingerprint import fingerprint
from rag.old_sentences import NOT_BUILT, made

SourceState = Literal["indexed", "failed", "waiting"]
Changed = Literal["new", "changed", "reused", "renamed", "failed", "waiting"]


@dataclass(frozen=True)
class SourceRow:
    """One source of a notebook, and what the last build made of it.

    `position` is its place in the order of adding. `digest` is what is wanted; `built_digest` what the chunks in the
    index were made from, empty when there are none. `changed` and `why` tell what the build of `snapshot` did, the one
    that last touched it. `origin` is the path it was added from, for telling a rename from a copy; empty for uploads.
    """

    source_id: str
    name: str
    digest: str
    size: int
    position: int = 0
    media_type: str = ""
    origin: str = ""
    added: str = ""
    snapshot: int = 0
    state: SourceState = "waiting"
    reason: str = ""
    built_digest: str = ""
    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    changed: Changed = "waiting"
    why: str = NOT_BUILT

    @property
    def made(self) -> Change:
        """What the last build made of the source. `reason` and `why` are what the table has of it, in the words of
        `rag.old_sentences`, and nothing to decide by or to show."""
        return made(self.name, self.changed, self.state, self.reason, self.why)


@dataclass(frozen=True)
class Given:
    """A source as somebody gave it: a safe name, the digest and size of its bytes, and its path if it has one."""

    name: str
    digest: str
    size: int
    origin: str = ""


@dataclass(frozen=True)
class Registration:
    """What adding came to: the new registry, and names by what became of them."""

    rows: tuple[SourceRow, ...]
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    unchanged: tuple[str, ...] = ()


def register(
    rows: Sequence[SourceRow], given: Iterable[Given], *, when: str, exists: Callable[[str], bool] = os.path.exists
) -> Registration:
    """Put sources into a registry. The order of `rows` is kept, new ones come last.

    Same name and bytes: unchanged. Same name, other bytes: changed. Another name for known bytes whose own origin is
    gone from the disk (`exists` says so): renamed. Anything else is a new source, also a copy under another name.
    """
    table = {row.name: row for row in rows}
    ids = {row.source_id for row in rows}
    added, changed, renamed, unchanged = [], [], [], []
    given = list(given)
    names = {one.name for one in given}
    last = max((row.position for row in rows), default=0)
    for one in given:
        old = table.get(one.name)
        if old is not None:
            if old.digest == one.digest:
                unchanged.append(one.name)
                if one.origin and one.origin != old.origin:
                    table[one.name] = replace(old, origin=one.origin)
            else:
                changed.append(one.name)
                table[one.name] = replace(old, digest=one.digest, size=one.size, origin=one.origin or old.origin)
            continue
        moved = next(
            (
                row
                for row in table.values()
                if row.digest == one.digest
                and row.name not in names
                and row.origin
                and row.origin != one.origin
                and one.origin
                and not exists(row.origin)
            ),
            None,
        )
        if moved is not None:
            renamed.append((moved.name, one.name))
            del table[moved.name]
            table[one.name] = replace(moved, name=one.name, origin=one.origin)
            continue
        added.append(one.name)
        source_id = _new_id(one, ids)
        ids.add(source_id)
        last += 1
        table[one.name] = SourceRow(source_id, one.name, one.digest, one.size, last, origin=one.origin, added=when)
    in_order = sorted(table.values(), key=lambda row: row.position)  # a renamed source keeps its place
    return Registration(tuple(in_order), tuple(added), tuple(changed), tuple(renamed), tuple(unchanged))


def registry_fingerprint(rows: Iterable[SourceRow]) -> str:
    """Fingerprint of what a registry asks for: ids, names and digests, in no particular order."""
    return fingerprint(sorted((row.source_id, row.name, row.digest) for row in rows))


def _new_id(one: Given, taken: set[str]) -> str:
    # Made of name and bytes as first seen, so that the same library built twice has the same ids and chunk ids.
    attempt = 0
    while True:
        source_id = fingerprint([one.name, one.digest, attempt])[:32]
        if source_id not in taken:
            return source_id
        attempt += 1

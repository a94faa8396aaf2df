"""Why something is not as it was, as a code with fields: what programs compare. Sentences are made of it at the
edge, in `rag.wording`; what is written into files is in `rag.old_sentences`. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Field = str | int


class Code(StrEnum):
    """Every kind of change, with its fields. `source` is a name, `chunks` and the like are numbers, `sentence` is what
    an error said."""

    # sources: what was wished, or what a build made of it (then with `chunks` and `embedded`)
    ADDED = "added"  # source
    CHANGED = "changed"  # source
    REMOVED = "removed"  # source; `chunks` once it is built
    RENAMED = "renamed"  # before, after
    UNREADABLE = "unreadable"  # source, sentence; `kept` chunks of its former content
    ORIGINAL_MISSING = "original-missing"  # source; the same bytes cure it
    ORIGINAL_DAMAGED = "original-damaged"  # source; the same bytes cure it
    STILL_UNREADABLE = "still-unreadable"  # source, sentence
    ADOPTED_SOURCE = "adopted-source"  # source, chunks
    UNCHANGED = "unchanged"  # source, snapshot
    NOT_BUILT = "not-built"  # source
    # the recipe and the home
    CHOICE = "choice"  # choice: a field of the recipe; before, after
    DAMAGE = "damage"  # sentence
    CACHE_HEALED = "cache-healed"  # sentence
    OTHER_MODEL = "other-model"
    NEWER_FORMAT = "newer-format"  # known: the highest format this program reads
    OUT_OF_REACH = "out-of-reach"
    # whole snapshots
    PURGED = "purged"  # sources
    WENT_BACK = "went-back"  # before, after: numbers of snapshots
    ARCHIVE = "archive"  # snapshot, notebook
    ADOPTED = "adopted"  # chunks
    OTHER = "other"  # what, before, after: written by a program that knew more


@dataclass(frozen=True)
class Change:
    """One reason. `fields` are pairs in order of their names; which there are is said at the code. A field that is
    absent has nothing to say: a choice without `before` is new in the recipe."""

    code: Code
    fields: tuple[tuple[str, Field], ...] = ()

    def text(self, name: str) -> str:
        """A field as text; "" where it is absent."""
        return str(dict(self.fields).get(name, ""))

    def number(self, name: str) -> int:
        """A field that is a number; 0 where it is absent.

        Raises:
            ValueError: it is no number.
        """
        return int(dict(self.fields).get(name, 0))

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        return name in dict(self.fields)


def change(code: Code, /, **fields: Field | None) -> Change:
    """A change with these fields; those that are None are absent."""
    return Change(code, tuple(sorted((name, value) for name, value in fields.items() if value is not None)))


def to_saved(one: Change) -> dict[str, object]:
    """A change as JSON: `code` and `fields`."""
    return {"code": str(one.code), "fields": dict(one.fields)}


def from_saved(saved: object) -> Change | None:
    """The inverse of `to_saved`; None where this program does not know it."""
    if not isinstance(saved, Mapping) or not isinstance(saved.get("fields"), Mapping):
        return None
    fields = saved["fields"]
    if saved.get("code") not in set(Code) or not all(isinstance(value, str | int) for value in fields.values()):
        return None
    return change(Code(saved["code"]), **fields)

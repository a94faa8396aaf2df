"""A change in words: what changed, from what to what."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rag.changes import Change, Code
from rag.text.counting import count
from rag.wording.choices import named

ORIGINAL_MISSING = "The original is missing from the home. Add the file again."
ORIGINAL_DAMAGED = "The original in the home is damaged: it is not what was added. Add the file again."

Sides = tuple[str | None, str | None]
"""Before and after; None where there is nothing to say."""


def name(one: Change) -> str:
    """What changed: a choice of the recipe in words, or the source by its name."""
    match one.code:
        case Code.RENAMED | Code.DAMAGE | Code.PURGED | Code.ARCHIVE:
            return str(one.code)
        case Code.CACHE_HEALED:
            return "vector cache"
        case Code.OTHER_MODEL:
            return named("embedder.model")
        case Code.NEWER_FORMAT:
            return "storage format"
        case Code.OUT_OF_REACH:
            return "home"
        case Code.WENT_BACK:
            return "snapshot"
        case Code.ADOPTED:
            return "llama-index"
        case Code.CHOICE:
            return named(one.text("choice"))
        case Code.OTHER:
            return one.text("what")
    return one.text("source")


def sides(one: Change) -> Sides:
    """What was before, and what is now."""
    return _SIDES[one.code](one)


def sentence(one: Change) -> str:
    """`embedding model: text-small → text-large`, `notes.txt: added`."""
    before, after = sides(one)
    if before is None:
        return f"{name(one)}: {after}" if after is not None else name(one)
    return f"{name(one)}: {before} → {after if after is not None else 'none'}"


def result(one: Change) -> str:
    """What the last build made of a source, without its name."""
    match one.code:
        case Code.RENAMED:
            return f"was {one.text('before')}: nothing embedded"
        case Code.ADDED | Code.CHANGED:
            return made(one.number("chunks"), one.number("embedded"))
    kept = f" The {count(one.number('kept'), 'chunk')} of its former content stay." if one.has("kept") else ""
    return f"{_SIDES[one.code](one)[1]}".removeprefix(_UNREAD) + kept


def failed(one: Change) -> str:
    """Why a source could not be read; "" where it could."""
    return _unread(one) if one.code in (Code.UNREADABLE, Code.ORIGINAL_MISSING, Code.ORIGINAL_DAMAGED) else ""


def made(total: int, embedded: int) -> str:
    """`3 chunks embedded`, `3 chunks, all reused`, `3 chunks: 1 embedded, 2 reused`."""
    if not embedded:
        return f"{count(total, 'chunk')}, all reused"
    if embedded == total:
        return f"{count(total, 'chunk')} embedded"
    return f"{count(total, 'chunk')}: {embedded:,} embedded, {total - embedded:,} reused"


_UNREAD = "could not be read: "


def _unread(one: Change) -> str:
    if one.code is Code.ORIGINAL_MISSING:
        return ORIGINAL_MISSING
    return ORIGINAL_DAMAGED if one.code is Code.ORIGINAL_DAMAGED else one.text("sentence")


def _put_in(verb: str) -> Callable[[Change], Sides]:
    def said(one: Change) -> Sides:
        return None, f"{verb}: {made(one.number('chunks'), one.number('embedded'))}" if one.has("chunks") else verb

    return said


def _taken_out(one: Change) -> Sides:
    return count(one.number("chunks"), "chunk") if one.has("chunks") else "source", "removed"


def _both(one: Change) -> Sides:
    before, after = (one.text(side) if one.has(side) else None for side in ("before", "after"))
    return before, after


_SIDES: Mapping[Code, Callable[[Change], Sides]] = {
    Code.ADDED: _put_in("added"),
    Code.CHANGED: _put_in("changed"),
    Code.REMOVED: _taken_out,
    Code.RENAMED: _both,
    Code.UNREADABLE: lambda one: (None, _UNREAD + _unread(one)),
    Code.ORIGINAL_MISSING: lambda one: (None, _UNREAD + _unread(one)),
    Code.ORIGINAL_DAMAGED: lambda one: (None, _UNREAD + _unread(one)),
    Code.STILL_UNREADABLE: lambda one: (None, one.text("sentence")),
    Code.ADOPTED_SOURCE: lambda one: (None, f"{count(one.number('chunks'), 'chunk')} adopted from llama-index"),
    Code.UNCHANGED: lambda one: (None, f"unchanged since snapshot {one.number('snapshot')}"),
    Code.NOT_BUILT: lambda _: (None, "not built yet"),
    Code.CHOICE: _both,
    Code.DAMAGE: lambda one: (None, one.text("sentence") or None),
    Code.CACHE_HEALED: lambda one: (None, one.text("sentence")),
    Code.OTHER_MODEL: lambda _: ("the model of the saved vectors", "another model under the same name"),
    Code.NEWER_FORMAT: lambda one: (f"up to {one.number('known')}", "a newer one"),
    Code.OUT_OF_REACH: lambda _: (None, "out of reach"),
    Code.PURGED: lambda one: (None, count(one.number("sources"), "source")),
    Code.WENT_BACK: _both,
    Code.ARCHIVE: lambda one: (None, f"snapshot {one.number('snapshot')} of {one.text('notebook')}"),
    Code.ADOPTED: lambda one: (None, f"{count(one.number('chunks'), 'chunk')} adopted with their vectors"),
    Code.OTHER: _both,
}

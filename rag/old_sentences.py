"""What files say of a change in English, and what it means: a frozen table, and no wording.

Manifests, states and rows of sources were written with sentences before changes had codes, and programs of that time
still read what is written today. So the sentences are a part of the storage format: they are written as ever, whatever
`rag.wording` says on the screen, and read for ever. Nothing here may be reworded, translated or taken out.
"""

from __future__ import annotations

import re
from typing import Any

from rag.changes import Change, Code, change, from_saved, to_saved

MISSING = "The original is missing from the home. Add the file again."
DAMAGED = "The original in the home is damaged: it is not what was added. Add the file again."
NOT_BUILT = "not built yet"

_NUMBER = r"\d[\d,]*"
_MADE = re.compile(
    rf"(?P<all>{_NUMBER}) chunks?(?:, all reused| (?P<new>embedded)|: (?P<some>{_NUMBER}) embedded, {_NUMBER} reused)"
)
_RENAMED = re.compile(r"was (?P<before>.+): nothing embedded", re.DOTALL)
_ADOPTED = re.compile(rf"(?P<chunks>{_NUMBER}) chunks? adopted from llama-index")
_UNCHANGED = re.compile(r"unchanged since snapshot (?P<snapshot>\d+)")
_KEPT = re.compile(rf"(?P<sentence>.*?) The (?P<kept>{_NUMBER}) chunks? of its former content stay\.", re.DOTALL)
_ORIGINALS = {MISSING: Code.ORIGINAL_MISSING, DAMAGED: Code.ORIGINAL_DAMAGED}
_CHOICE = re.compile(r"analysis|format|(?:embedder|splitter|tokenizer|readers)\..+", re.DOTALL)
_SNAPSHOT = re.compile(r"snapshot (?P<snapshot>\d+) of (?P<notebook>.+)")
_COUNTED = re.compile(rf"(?P<number>{_NUMBER}) (?:sources?|chunks?)(?: adopted with their vectors)?")
_UNREAD = "could not be read: "


# ---------------------------------------------------------------------- rows of sources: `why` and `reason`


def why(one: Change) -> str:
    """What a row says in `why`; for a source that could not be read, `reason` is the same without what was kept."""
    match one.code:
        case Code.RENAMED:
            return f"was {one.text('before')}: nothing embedded"
        case Code.ADDED | Code.CHANGED:
            return _made(one.number("chunks"), one.number("embedded"))
        case Code.ADOPTED_SOURCE:
            return f"{_count(one.number('chunks'), 'chunk')} adopted from llama-index"
        case Code.UNCHANGED:
            return f"unchanged since snapshot {one.number('snapshot')}"
        case Code.NOT_BUILT:
            return NOT_BUILT
    kept = f" The {_count(one.number('kept'), 'chunk')} of its former content stay." if one.has("kept") else ""
    return reason(one) + kept


def reason(one: Change) -> str:
    """What a row says in `reason` of a source that could not be read."""
    return {Code.ORIGINAL_MISSING: MISSING, Code.ORIGINAL_DAMAGED: DAMAGED}.get(one.code) or one.text("sentence")


def unreadable(sentence: str, **fields: str | int | None) -> Change:
    """A source that could not be read, from the reason that its row or its build has."""
    code = _ORIGINALS.get(sentence)
    return change(Code.UNREADABLE, sentence=sentence, **fields) if code is None else change(code, **fields)


def made(name: str, changed: str, state: str, because: str, told: str) -> Change:
    """What the last build made of a source, from the columns `name`, `changed`, `state`, `reason` and `why`."""
    if state == "failed":
        kept = _KEPT.fullmatch(told)
        return unreadable(because, source=name, kept=_int(kept["kept"]) if kept else None)
    if changed == "renamed" and (found := _RENAMED.fullmatch(told)):
        return change(Code.RENAMED, before=found["before"], after=name)
    if found := _UNCHANGED.fullmatch(told):
        return change(Code.UNCHANGED, source=name, snapshot=int(found["snapshot"]))
    if found := _ADOPTED.fullmatch(told):
        return change(Code.ADOPTED_SOURCE, source=name, chunks=_int(found["chunks"]))
    if found := _MADE.fullmatch(told):
        return change(Code.CHANGED if changed == "changed" else Code.ADDED, source=name, **_counts(found))
    return change(Code.NOT_BUILT, source=name)


# ---------------------------------------------------------------------- manifests and states: what, before, after


def triple(one: Change) -> tuple[str, str | None, str | None]:
    """`what`, `before` and `after` as manifests and states have them."""
    text, number = one.text, one.number
    match one.code:
        case Code.ADDED | Code.CHANGED:
            counts = f": {_made(number('chunks'), number('embedded'))}" if one.has("chunks") else ""
            return text("source"), None, f"{one.code}{counts}"
        case Code.REMOVED:
            return text("source"), _count(number("chunks"), "chunk") if one.has("chunks") else "source", "removed"
        case Code.RENAMED:
            return "renamed", text("before"), text("after")
        case Code.UNREADABLE | Code.ORIGINAL_MISSING | Code.ORIGINAL_DAMAGED:
            return text("source"), None, _UNREAD + reason(one)
        case Code.ADOPTED_SOURCE | Code.UNCHANGED | Code.NOT_BUILT:
            return text("source"), None, why(one)
        case Code.STILL_UNREADABLE:
            return text("source"), None, text("sentence")
    return _of_the_whole(one)


def _of_the_whole(one: Change) -> tuple[str, str | None, str | None]:
    text, number = one.text, one.number
    match one.code:
        case Code.DAMAGE:
            return "damage", None, text("sentence")
        case Code.CACHE_HEALED:
            return "vector cache", None, text("sentence")
        case Code.OTHER_MODEL:
            return "embedder.model", "the model of the saved vectors", "another model under the same name"
        case Code.NEWER_FORMAT:
            return "storage format", f"up to {number('known')}", "a newer one"
        case Code.OUT_OF_REACH:
            return "home", None, "out of reach"
        case Code.PURGED:
            return "purged", None, _count(number("sources"), "source")
        case Code.WENT_BACK:
            return "snapshot", text("before"), text("after")
        case Code.ARCHIVE:
            return "archive", None, f"snapshot {number('snapshot')} of {text('notebook')}"
        case Code.ADOPTED:
            return "llama-index", None, f"{_count(number('chunks'), 'chunk')} adopted with their vectors"
    what = text("choice") if one.code is Code.CHOICE else text("what")
    return what, text("before") if one.has("before") else None, text("after") if one.has("after") else None


def meant(what: str, before: str | None, after: str | None) -> Change:
    """What a manifest or a state without codes says. A source may have any name, also `damage`."""
    if what == "renamed" and before and after:
        return change(Code.RENAMED, before=before, after=after)
    if (told := _of_a_source(what, before, after)) is not None:
        return told
    said = after or ""
    if what == "damage" and before is None:
        return change(Code.DAMAGE, sentence=said)
    if what == "vector cache" and before is None:
        return change(Code.CACHE_HEALED, sentence=said)
    if what == "snapshot" and before and after and before.isdecimal() and after.isdecimal():
        return change(Code.WENT_BACK, before=int(before), after=int(after))
    if before is None and (found := _SNAPSHOT.fullmatch(said)) and what == "archive":
        return change(Code.ARCHIVE, snapshot=int(found["snapshot"]), notebook=found["notebook"])
    if before is None and (found := _COUNTED.fullmatch(said)) and what in ("purged", "llama-index"):
        number = _int(found["number"])
        return change(Code.PURGED, sources=number) if what == "purged" else change(Code.ADOPTED, chunks=number)
    if _CHOICE.fullmatch(what):
        return change(Code.CHOICE, choice=what, before=before, after=after)
    return change(Code.OTHER, what=what, before=before, after=after)


def _of_a_source(name: str, before: str | None, after: str | None) -> Change | None:
    if after == "removed" and before is not None:
        if before == "source":
            return change(Code.REMOVED, source=name)
        if found := _COUNTED.fullmatch(before):
            return change(Code.REMOVED, source=name, chunks=_int(found["number"]))
    if before is not None or after is None:
        return None
    verb, _, rest = after.partition(": ")
    if verb in (Code.ADDED, Code.CHANGED):
        if not rest:
            return change(Code(verb), source=name)
        if found := _MADE.fullmatch(rest):
            return change(Code(verb), source=name, **_counts(found))
    if after.startswith(_UNREAD):
        return unreadable(after.removeprefix(_UNREAD), source=name)
    return None


# ---------------------------------------------------------------------- both forms, side by side


def saved_pair(changes: tuple[Change, ...]) -> tuple[list[dict[str, str | None]], list[dict[str, object]]]:
    """The two lists that are saved of changes: sentences, as ever, and codes with fields."""
    return [old_form(one) for one in changes], [to_saved(one) for one in changes]


def old_form(one: Change) -> dict[str, str | None]:
    """A change as `what`, `before` and `after`."""
    what, before, after = triple(one)
    return {"what": what, "before": before, "after": after}


def read_pair(sentences: list[dict[str, Any]], codes: object) -> tuple[Change, ...]:
    """The inverse of `saved_pair`. `codes` is None in what was written before there were any; a code that this program
    does not know is read by its sentence.

    Raises:
        TypeError, KeyError, AttributeError: they are no such lists.
    """
    told = [meant(one["what"], one.get("before"), one.get("after")) for one in sentences]
    beside = codes if isinstance(codes, list) and len(codes) == len(told) else [None] * len(told)
    return tuple(from_saved(code) or meaning for code, meaning in zip(beside, told, strict=True))


def _made(total: int, embedded: int) -> str:
    if not embedded:
        return f"{_count(total, 'chunk')}, all reused"
    if embedded == total:
        return f"{_count(total, 'chunk')} embedded"
    return f"{_count(total, 'chunk')}: {embedded:,} embedded, {total - embedded:,} reused"


def _counts(found: re.Match[str]) -> dict[str, int]:
    total = _int(found["all"])
    return {"chunks": total, "embedded": total if found["new"] else _int(found["some"] or "0")}


def _int(number: str) -> int:
    return int(number.replace(",", ""))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

"""Own tags on sources: short words that a person gives them, to find and to filter by. No part of what is built.

All tags of a notebook are one small object, numbered and created if absent, and the newest one counts: so a change is
atomic, whoever tags at the same moment loses nothing, and no snapshot, state or table is touched by it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence

from rag.errors import NotFound, TagInvalid
from rag.sources.names import unseen

LONGEST = 40
"""Characters of a tag."""
MOST = 20
"""Tags of a source."""

ById = Mapping[str, tuple[str, ...]]
"""Ids of sources to their tags, in order of the alphabet; a source without tags is not in it."""


def clean_tag(text: str) -> str:
    """A tag as it is kept: NFC, trimmed, one space between words.

    Raises:
        TagInvalid: it is empty, longer than `LONGEST`, or holds a character that cannot be seen.
    """
    # The joiner that keeps letters apart is left out as in names: with and without it, a tag looks the same.
    trimmed = unicodedata.normalize("NFC", text.strip().replace("\u200c", ""))
    if unseen(trimmed):
        shown = "".join(char for char in trimmed if not unseen(char))[:LONGEST]
        raise TagInvalid(
            f"The tag {shown!r} holds a character that cannot be seen (U+{ord(unseen(trimmed)):04X}). Type it anew."
        )
    tag = " ".join(trimmed.split())
    if not tag:
        raise TagInvalid("A tag needs at least one character.")
    if len(tag) > LONGEST:
        raise TagInvalid(f"The tag {tag[:LONGEST] + '…'!r} is too long: {len(tag)} characters, {LONGEST} at most.")
    return tag


def alike(tag: str) -> str:
    """What two tags have in common that are the same one: upper and lower case do not tell them apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", tag).casefold())


def known_tags(of: Mapping[str, Sequence[str]]) -> list[str]:
    """Every tag that some source has, once, in order of the alphabet."""
    return _sorted({alike(tag): tag for tags in of.values() for tag in tags}.values())


def changed(of: ById, sources: Mapping[str, str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> ById:
    """`of` with clean tags added to `sources` (ids to names) and others removed from them. A tag that other sources
    have in another spelling takes theirs.

    Raises:
        TagInvalid: a source would have more than `MOST`.
    """
    gone = {alike(tag) for tag in remove}
    after = dict(of)
    for source_id in sources:
        after[source_id] = tuple(tag for tag in of.get(source_id, ()) if alike(tag) not in gone)
    spelt = {alike(tag): tag for tags in after.values() for tag in tags}
    for tag in add:
        spelt.setdefault(alike(tag), tag)
    for source_id, name in sources.items():
        keys = {alike(tag) for tag in after[source_id]} | {alike(tag) for tag in add}
        if len(keys) > MOST:
            raise TagInvalid(f"{name} would have {len(keys)} tags, and {MOST} is the most. Remove some of them first.")
        after[source_id] = tuple(_sorted(spelt[key] for key in keys))
    return {source_id: tags for source_id, tags in after.items() if tags}


def newly(of: ById, fresh: Collection[str], given: Mapping[str, tuple[str, Sequence[str]]]) -> ById:
    """`of` with the tags that were given with sources (ids to names and clean tags) added to them; `fresh` ones have no
    others. Raises TagInvalid as `changed`."""
    after: ById = {source_id: tags for source_id, tags in of.items() if source_id not in fresh}
    alike_given: dict[tuple[str, ...], dict[str, str]] = {}  # thousands of files may be added with the same tags
    for source_id, (name, tags) in given.items():
        alike_given.setdefault(tuple(tags), {})[source_id] = name
    for tags, sources in alike_given.items():
        if tags:
            after = changed(after, sources, tags)
    return after


def refuse_absent(of: ById, sources: Mapping[str, str], remove: Iterable[str]) -> None:
    """Raise NotFound for a tag that none of `sources` (ids to names) has."""
    there = known_tags({source_id: of[source_id] for source_id in sources if source_id in of})
    for tag in remove:
        if alike(tag) not in {alike(one) for one in there}:
            whose = next(iter(sources.values())) if len(sources) == 1 else "None of these sources"
            has = "has the tags" if len(sources) == 1 else "has it; they have"
            raise NotFound(f"There is no tag {tag!r} to remove. {whose} {has}: {', '.join(there) or 'none'}.")


def _well(of: ById) -> bool:
    """Whether every tag is clean, and no source has one twice, too many or an empty list."""
    keys = {tag: alike(clean_tag(tag)) for tag in {tag for tags in of.values() for tag in tags}}
    clean = all(clean_tag(tag) == tag for tag in keys)
    return clean and all(0 < len({keys[tag] for tag in tags}) == len(tags) <= MOST for tags in of.values())


def _sorted(tags: Iterable[str]) -> list[str]:
    return sorted(tags, key=lambda tag: (alike(tag), tag))

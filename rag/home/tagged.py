"""The tags of a notebook's sources: as they are, as a person changes them, and as they come with files that are added.

No part of what is built: nothing here makes a snapshot or calls a model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rag.errors import Damaged, NotFound
from rag.home.place import Place
from rag.sources.incoming import Incoming
from rag.sources.names import safe_name
from rag.sources.tags import ById, changed, clean_tag, newly, refuse_absent


def tags_of(place: Place) -> ById:
    """Ids of the wanted sources with their tags; those without are left out. Imports lancedb where there are any.

    Raises:
        Damaged: the tags, or the list of sources, fail their check.
    """
    of = place.tags.newest().of
    if not of:
        return {}
    ids = {row.source_id for row in place.wanted_sources()}
    return {source_id: tags for source_id, tags in of.items() if source_id in ids}


def tag(place: Place, names: Sequence[str], *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
    """Add tags to sources and remove others from them, at once for all.

    Raises:
        NotFound: there is no such source, or none of these has a tag that is to be removed; nothing was changed.
        TagInvalid: a tag cannot be kept as it is, or a source would have too many; nothing was changed.
        Damaged, Conflict: as `Tags.change`.
    """
    wanted = [clean_tag(one) for one in add]
    there = {row.name: row.source_id for row in place.wanted_sources()}
    refuse_unknown(names, there)
    sources = {there[name]: name for name in names}
    refuse_absent(place.tags.newest().of, sources, remove)
    place.tags.change(lambda of: changed(of, sources, wanted, remove))


def refuse_unknown(names: Sequence[str], known: Collection[str]) -> None:
    """Raise NotFound for the first of `names` that is no source's."""
    wrong = [name for name in names if name not in known]
    if wrong:
        listed = ", ".join(sorted(known)[:5]) or "none"
        raise NotFound(f"There is no source {wrong[0]!r} in this notebook. It has: {listed}.")


def refuse_given(place: Place, incoming: Sequence[Incoming]) -> None:
    """See that the tags given with files can be kept, before anything else is.

    Raises:
        TagInvalid: one cannot be kept as it is, or a source would have too many.
        Damaged: some were given, and those that are there fail their check.
        NewerFormat: a newer Ragbook wrote those that are there.
    """
    given = any(one.tags for one in incoming)
    try:
        of = place.tags.newest().of  # also without tags: refuse what a newer Ragbook wrote
    except Damaged:
        if given:
            raise
    if not given:
        return
    ids = {row.name: row.source_id for row in place.wanted_sources()}
    for one in incoming:
        name = safe_name(one.name)
        own = ids.get(name, "")
        changed({own: of.get(own, ())}, {own: name}, [clean_tag(text) for text in one.tags])


def tag_added(place: Place, before: Collection[str], tags: Mapping[str, Sequence[str]]) -> None:
    """Give the sources that were just registered their tags (by name), and new ones no others: what had the same id
    before was removed, and its tags went with it. `before` are the ids until then.

    Raises:
        Damaged: there are tags to give, and those that are there fail their check.
    """
    if not any(tags.values()) and not place.tags.any():
        return
    rows = [row for row in place.wanted_sources() if row.name in tags]
    fresh = {row.source_id for row in rows} - set(before)
    given = {row.source_id: (row.name, [clean_tag(text) for text in tags[row.name]]) for row in rows}
    try:
        place.tags.change(lambda of: newly(of, fresh, given))
    except Damaged:
        if any(tags.values()):
            raise
        # Whoever repairs them has old ones back at most: no reason not to add a file.

"""Which rows of a snapshot meet a restriction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from rag.errors import NotFound
from rag.sources.restriction import Restriction
from rag.sources.tags import alike, known_tags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.sources.rows import SourceRow
    from rag.tables.reader import TableReader


def rows_meeting(
    only: Restriction,
    reader: TableReader,
    known: Sequence[SourceRow],
    tagged: Mapping[str, Sequence[str]] | None = None,
) -> NDArray[np.int64] | None:
    """Numbers of the rows that meet a restriction, rising; None for all. `known` are the sources of the snapshot,
    `tagged` the ids of the notebook's sources with their tags.

    Raises:
        NotFound: no source has such a name, or no source such a tag.
    """
    for name in only.sources:
        if not any(_named(row, name) for row in known):
            listed = ", ".join(sorted(row.name for row in known)[:5]) or "none"
            raise NotFound(f"There is no source {name!r} in this snapshot. It has: {listed}.")
    with_tag = _with_tag(only.tags, tagged or {}) if only.tags else None
    ids = None
    if only.sources or only.types or only.since or with_tag is not None:
        ids = [row.source_id for row in known if _fits(only, row) and (with_tag is None or row.source_id in with_tag)]
    pages = only.pages
    return reader.rows_where(
        source_ids=ids, keep=None if pages is None else lambda metadata: _on_pages(metadata, *pages)
    )


def _with_tag(wanted: Sequence[str], tagged: Mapping[str, Sequence[str]]) -> set[str]:
    """Ids of the sources with one of the tags."""
    there = known_tags(tagged)
    unknown = next((tag for tag in wanted if alike(tag) not in {alike(one) for one in there}), None)
    if unknown is not None:
        listed = ", ".join(there[:20]) + (", …" if len(there) > 20 else "")
        told = f"There are: {listed}." if there else "No source has a tag yet."
        raise NotFound(f"No source of this notebook has the tag {unknown!r}. {told}")
    asked = {alike(tag) for tag in wanted}
    return {source_id for source_id, tags in tagged.items() if asked & {alike(tag) for tag in tags}}


def _fits(only: Restriction, row: SourceRow) -> bool:
    return (
        (not only.sources or any(_named(row, name) for name in only.sources))
        and (not only.types or any(_typed(row, kind) for kind in only.types))
        and row.added >= only.since
    )


def _on_pages(metadata: Mapping[str, Any], from_page: int, to_page: int) -> bool:
    first = metadata.get("page")
    if not isinstance(first, int):
        return False
    spanned = metadata.get("pages")
    last = spanned[-1][0] if isinstance(spanned, list) and spanned else first
    return first <= to_page and last >= from_page


def _named(row: SourceRow, name: str) -> bool:
    return row.name == name or fnmatchcase(row.name, name)


def _typed(row: SourceRow, kind: str) -> bool:
    wanted = kind.lower().lstrip(".")
    return row.name.lower().endswith(f".{wanted}") or wanted in (row.media_type, *row.media_type.split("/"))

"""Which chunks a search may find: by source, type, date, page and own tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from rag.errors import NotFound
from rag.sources.tags import alike, known_tags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rag.sources.rows import SourceRow
    from rag.tables.reader import TableReader


LAST_PAGE = 9_999_999
"""As last page: to the end."""


@dataclass(frozen=True)
class Restriction:
    """What a chunk must meet to be found; what is left open, every chunk meets.

    Attributes:
        sources: names of sources, or patterns of them such as `*.md`; one must fit.
        types: extensions (`pdf`), media types (`application/pdf`) or their first part (`text`); one must fit.
        since: ISO 8601 date, or date and time in UTC: added to the notebook then or later.
        pages: first and last page, from 1, both included; `LAST_PAGE` for all after the first. A chunk of a format
            without pages is left out.
        tags: tags of sources, in upper or lower case; one must fit. What a source is tagged now counts, whatever
            snapshot is searched.
    """

    sources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    since: str = ""
    pages: tuple[int, int] | None = None
    tags: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it leaves, for a sentence: `handbook.md or *.txt, of type pdf, on pages 3 to 10`."""
        parts = [" or ".join(self.sources)] if self.sources else []
        if self.types:
            parts.append(f"of type {' or '.join(self.types)}")
        if self.tags:
            parts.append(f"tagged {' or '.join(self.tags)}")
        if self.pages:
            first, last = self.pages
            to_the_end = f"from page {first} on" if last >= LAST_PAGE else f"on pages {first} to {last}"
            parts.append(f"on page {first}" if first == last else to_the_end)
        if self.since:
            day = self.since.removesuffix("T00:00:00")
            parts.append(f"added since {day.replace('T', ' ') + ' UTC' if 'T' in day else day}")
        return ", ".join(parts)

    def rows(
        self, reader: TableReader, known: Sequence[SourceRow], tagged: Mapping[str, Sequence[str]] | None = None
    ) -> NDArray[np.int64] | None:
        """Numbers of the rows that meet it, rising; None for all. `known` are the sources of the snapshot, `tagged` the
        ids of the notebook's sources with their tags.

        Raises:
            NotFound: no source has such a name, or no source such a tag.
        """
        for name in self.sources:
            if not any(_named(row, name) for row in known):
                listed = ", ".join(sorted(row.name for row in known)[:5]) or "none"
                raise NotFound(f"There is no source {name!r} in this snapshot. It has: {listed}.")
        with_tag = self._tagged(tagged or {}) if self.tags else None
        ids = None
        if self.sources or self.types or self.since or with_tag is not None:
            ids = [
                row.source_id for row in known if self._fits(row) and (with_tag is None or row.source_id in with_tag)
            ]
        return reader.rows_where(source_ids=ids, keep=self._on_pages if self.pages else None)

    def _tagged(self, tagged: Mapping[str, Sequence[str]]) -> set[str]:
        """Ids of the sources with one of the tags."""
        there = known_tags(tagged)
        unknown = next((tag for tag in self.tags if alike(tag) not in {alike(one) for one in there}), None)
        if unknown is not None:
            listed = ", ".join(there[:20]) + (", …" if len(there) > 20 else "")
            told = f"There are: {listed}." if there else "No source has a tag yet."
            raise NotFound(f"No source of this notebook has the tag {unknown!r}. {told}")
        wanted = {alike(tag) for tag in self.tags}
        return {source_id for source_id, tags in tagged.items() if wanted & {alike(tag) for tag in tags}}

    def _fits(self, row: SourceRow) -> bool:
        return (
            (not self.sources or any(_named(row, name) for name in self.sources))
            and (not self.types or any(_typed(row, kind) for kind in self.types))
            and row.added >= self.since
        )

    def _on_pages(self, metadata: Mapping[str, Any]) -> bool:
        assert self.pages
        first = metadata.get("page")
        if not isinstance(first, int):
            return False
        spanned = metadata.get("pages")
        last = spanned[-1][0] if isinstance(spanned, list) and spanned else first
        return first <= self.pages[1] and last >= self.pages[0]


def _named(row: SourceRow, name: str) -> bool:
    return row.name == name or fnmatchcase(row.name, name)


def _typed(row: SourceRow, kind: str) -> bool:
    wanted = kind.lower().lstrip(".")
    return row.name.lower().endswith(f".{wanted}") or wanted in (row.media_type, *row.media_type.split("/"))

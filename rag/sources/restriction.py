"""Which chunks a search may find: by source, type, date, page and own tags."""

from __future__ import annotations

from dataclasses import dataclass

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

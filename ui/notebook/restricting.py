"""The dialog "Search in…" above the question box: what the next questions of this session are asked of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import PurePath
from typing import TYPE_CHECKING

import streamlit as st

from rag.errors import StoreError
from rag.sources.restriction import LAST_PAGE, Restriction
from rag.sources.tags import alike, known_tags
from ui import session
from ui.frame import Page, boundary
from ui.untrusted import escaped, visible

if TYPE_CHECKING:
    from rag import SourceRow

_OPEN = "search_in_open"
_PAGED = "application/pdf"
"""The one kind of source that is read with its pages."""


def restriction(page: Page) -> Restriction | None:
    """What was chosen for this notebook; None for everything."""
    chosen: Restriction | None = st.session_state.get(_key(page))
    return chosen


def search_in(page: Page) -> None:
    """Draw the button that opens the dialog, and beside it what is chosen. The list of sources is read only while the
    dialog is open."""
    with (
        boundary("search_in"),
        st.container(horizontal=True, vertical_alignment="center", gap="small", key="search_in_row"),
    ):
        st.button("Search in…", icon=":material/filter_alt:", type="tertiary", key="search_in", on_click=_open)
        only = restriction(page)
        if only is not None:
            st.html(f'<p class="small" data-hook="search-in">Only {escaped(_words(only))}</p>')
            st.button(
                "Search everything", type="tertiary", key="search_everything", on_click=_search_everything, args=(page,)
            )
        if st.session_state.get(_OPEN):
            _dialog(page)


# A popover would have the little room that is left below it: its row stands right above the question box.
@st.dialog("Search in…", icon=":material/filter_alt:", on_dismiss=lambda: _close())
def _dialog(page: Page) -> None:
    with boundary("search_in_fields"):
        _fields(page)
        only = restriction(page)
        words = f"Only {_words(only)} is searched." if only else "Everything is searched."
        st.html(f'<p class="small" data-hook="search-in-chosen">{escaped(words)}</p>')
        with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
            st.button(
                "Search everything", type="tertiary", key="reset_search", on_click=_search_everything, args=(page,)
            )
            if st.button("Done", type="primary", key="search_in_done"):
                _close()
                st.rerun()


def _open() -> None:
    st.session_state[_OPEN] = True


def _close() -> None:
    st.session_state[_OPEN] = False


def _search_everything(page: Page) -> None:
    # New widgets: those of before would come back with what they last held.
    st.session_state["search_in_round"] = _round() + 1
    st.session_state.pop(_key(page), None)


def _fields(page: Page) -> None:
    only = restriction(page) or Restriction()
    rows = [row for row in page.notebook.sources() if row.built_digest]
    names = sorted(row.name for row in rows)
    types = sorted({kind for row in rows if (kind := PurePath(row.name).suffix.lower().lstrip("."))})
    key = f"{page.notebook.slug}_{_round()}"
    sources = st.multiselect(
        "Sources",
        names,
        default=[name for name in only.sources if name in names],
        format_func=visible,
        key=f"search_sources_{key}",
        placeholder="All sources",
    )
    kinds = st.multiselect(
        "Types",
        types,
        default=[kind for kind in only.types if kind in types],
        format_func=visible,
        key=f"search_types_{key}",
        placeholder="All types",
    )
    tags = _tags(page, rows, only, key)
    since = _since(only, key)
    pages = _pages(only, key) if any(row.media_type == _PAGED for row in rows) else None
    chosen = Restriction(tuple(sources), tuple(kinds), since, pages, tags)
    st.session_state[_key(page)] = None if chosen == Restriction() else chosen


def _tags(page: Page, rows: Sequence[SourceRow], only: Restriction, key: str) -> tuple[str, ...]:
    try:
        of = page.notebook.tags()
    except StoreError as error:
        st.html(f'<p class="small bad" role="alert">{escaped(str(error))}</p>')
        return only.tags
    built = {row.source_id for row in rows}
    known = known_tags({source_id: tags for source_id, tags in of.items() if source_id in built})
    if not known:
        st.html('<p class="small" data-hook="no-tags">No tags yet. Select documents in the Library to add some.</p>')
        return ()
    chosen = {alike(tag) for tag in only.tags}
    return tuple(
        st.multiselect(
            "Tags",
            known,
            default=[tag for tag in known if alike(tag) in chosen],
            format_func=visible,
            key=f"search_tags_{key}",
            placeholder="All tags",
        )
    )


def _since(only: Restriction, key: str) -> str:
    """The beginning of a day of the reader's, as a time in UTC."""
    day = st.date_input(
        "Added since", value=_day(only), max_value=datetime.now(session.zone()).date(), format="YYYY-MM-DD",
        key=f"search_since_{key}",
    )  # fmt: skip
    if not isinstance(day, date):
        return ""
    begins = datetime.combine(day, time.min, tzinfo=session.zone())
    return begins.astimezone(UTC).replace(tzinfo=None).isoformat()


def _day(only: Restriction) -> date | None:
    if not only.since:
        return None
    return datetime.fromisoformat(only.since).replace(tzinfo=UTC).astimezone(session.zone()).date()


def _pages(only: Restriction, key: str) -> tuple[int, int] | None:
    before = only.pages or (None, None)
    with st.container(horizontal=True, gap="small"):
        first = st.number_input(
            "First page", min_value=1, max_value=LAST_PAGE, value=before[0], placeholder="first",
            key=f"search_first_{key}", width="stretch",
        )  # fmt: skip
        last = st.number_input(
            "Last page", min_value=1, max_value=LAST_PAGE, value=None if before[1] == LAST_PAGE else before[1],
            placeholder="last", key=f"search_last_{key}", width="stretch",
        )  # fmt: skip
    if first is None and last is None:
        return None
    pages = (first or 1, last or LAST_PAGE)
    if pages[0] > pages[1]:
        st.html('<p class="small bad" role="alert">The first page comes after the last. Pages are as before.</p>')
        return only.pages
    return pages


def _words(only: Restriction) -> str:
    """What it leaves, with the reader's own day in place of the time in UTC."""
    day = _day(only)
    return (replace(only, since=day.isoformat()) if day else only).words


def _round() -> int:
    return int(st.session_state.get("search_in_round", 0))


def _key(page: Page) -> str:
    return f"restriction_{page.notebook.slug}"

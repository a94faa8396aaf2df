"""The popover "Search in…" above the question box: what the next questions of this session are asked of."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from rag.restriction import Restriction
from ui.frame import Page, boundary
from ui.untrusted import escaped, visible


def restriction(page: Page) -> Restriction | None:
    """What was chosen for this notebook; None for everything."""
    chosen: Restriction | None = st.session_state.get(_key(page))
    return chosen


def search_in(page: Page) -> None:
    """Draw the popover, and beside it what is chosen. The list of sources is read only while it is open."""
    with (
        boundary("search_in"),
        st.container(horizontal=True, vertical_alignment="center", gap="small", key="search_in_row"),
    ):
        popover = st.popover(
            "Search in…", icon=":material/filter_alt:", type="tertiary", key="search_in", on_change="rerun"
        )
        if popover.open:
            with popover:
                _fields(page)
        only = restriction(page)
        if only is not None:
            st.html(f'<p class="small" data-hook="search-in">Only {escaped(only.words)}</p>')
            if st.button("Search everything", type="tertiary", key="search_everything"):
                # New widgets: a closed popover's fields would come back with what they last held.
                st.session_state["search_in_round"] = _round() + 1
                st.session_state.pop(_key(page))
                st.rerun()


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
    chosen = Restriction(tuple(sources), tuple(kinds))
    st.session_state[_key(page)] = None if chosen == Restriction() else chosen


def _round() -> int:
    return int(st.session_state.get("search_in_round", 0))


def _key(page: Page) -> str:
    return f"restriction_{page.notebook.slug}"

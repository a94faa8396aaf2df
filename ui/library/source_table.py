"""The table of sources: summary numbers, filters with counts, search, and one row per source with tags and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import streamlit as st

from rag.sources.tags import known_tags
from rag.wording import changes
from ui import wording
from ui.untrusted import visible

if TYPE_CHECKING:
    from rag import SourceRow


def summary(rows: list[SourceRow]) -> None:
    """Four numbers that say how the library stands."""
    chunks = sum(row.chunks for row in rows)
    reused = sum(row.reused for row in rows)
    embedded = sum(row.embedded for row in rows)
    failed = sum(row.state == "failed" for row in rows)
    waiting = sum(row.state == "waiting" for row in rows)
    needed = f"{wording.number(waiting)} waiting" if waiting else "see why below" if failed else "all readable"
    with st.grid(4, min_column_width=160, gap="small"):
        _number("Documents", wording.number(len(rows)), wording.size(sum(row.size for row in rows)), "blue")
        _number("Chunks", wording.number(chunks), f"{wording.number(embedded)} embedded", "blue")
        _number("Reused", wording.percent(reused, reused + embedded), wording.count(reused, "chunk"), "green")
        _number("Needs you", wording.count(failed, "file").capitalize(), needed, "red" if failed else "gray")


def _number(label: str, value: str, detail: str, color: Literal["blue", "green", "red", "gray"]) -> None:
    st.metric(label, value, detail, delta_color=color, delta_arrow="off", border=True, height="stretch")


def source_table(rows: list[SourceRow], tags: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Draw filters, search and table; the names of the selected sources. `tags` by source id."""
    shown = _filtered(rows, tags)
    known = known_tags(tags)
    table = {
        "File": [visible(row.name) for row in shown],
        "State": [[row.changed] for row in shown],
        **({"Tags": [list(tags.get(row.source_id, ())) for row in shown]} if known else {}),
        "Chunks": [row.chunks for row in shown],
        "Reused": [row.reused / (row.reused + row.embedded) if row.reused + row.embedded else None for row in shown],
        "Size": [row.size for row in shown],
        "Why": [visible(changes.failed(row.made) or changes.result(row.made)) for row in shown],
    }
    columns = st.column_config
    picked = st.dataframe(
        table,
        hide_index=True,
        key=f"sources_{st.session_state.setdefault('table_turn', 0)}",
        on_select="rerun",
        selection_mode="multi-row",
        row_height=38,
        height="content" if len(shown) <= 12 else 500,
        placeholder="",
        alt="Documents of this notebook with their state and the reason for it",
        column_config={
            "File": columns.TextColumn(width="medium"),
            "State": columns.MultiselectColumn(
                options=list(wording.SOURCE_LOOKS), color=list(wording.SOURCE_LOOKS.values()), width=92
            ),
            "Tags": columns.MultiselectColumn(options=known, color="gray", width=140),
            "Chunks": columns.NumberColumn(format="localized", width=70),
            "Reused": columns.ProgressColumn(format="percent", min_value=0, max_value=1, width=110, color="green"),
            "Size": columns.NumberColumn(format="bytes", width=80),
            "Why": columns.TextColumn(width="large"),
        },
    )
    if not shown:
        st.html('<p class="small">No document matches.</p>')
    return [shown[row].name for row in picked["selection"]["rows"] if row < len(shown)]


def _filtered(rows: list[SourceRow], tags: Mapping[str, tuple[str, ...]]) -> list[SourceRow]:
    counts = Counter(str(row.changed) for row in rows)
    states = ["all", *(state for state in wording.SOURCE_LOOKS if counts[state])]
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="filters"):
        state = st.pills(
            "Show",
            states,
            default="all",
            required=True,
            label_visibility="collapsed",
            key="filter",
            format_func=lambda name: f"{name.capitalize()} {len(rows) if name == 'all' else counts[name]}",
        )
        wanted = st.text_input(
            "Find a file",
            placeholder="Find a file",
            label_visibility="collapsed",
            icon=":material/search:",
            width=220,
            key="find",
        )
    text = (wanted or "").strip().lower()

    def found(row: SourceRow) -> bool:
        return text in row.name.lower() or any(text in tag.lower() for tag in tags.get(row.source_id, ()))

    return [row for row in rows if state in ("all", None, row.changed) and found(row)]

"""Taking sources out of a notebook, after a second word; and putting them back, which costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from ui import session, wording
from ui.untrusted import escaped
from ui.widgets import note

if TYPE_CHECKING:
    from rag import Notebook, SourceRow
    from rag.jobs import Job


def remove(
    notebook: Notebook, rows: Sequence[SourceRow], chosen: list[str], tags: Mapping[str, tuple[str, ...]]
) -> None:
    """Draw the button that removes `chosen`, names of some of `rows`, and the question before it does. `tags` by source
    id come back where it is undone."""
    with st.container(horizontal=True, key="bulk", vertical_alignment="center"):
        label = f"Remove {len(chosen)}" if chosen else "Remove"
        if st.button(label, icon=":material/delete:", disabled=not chosen, key="remove"):
            st.session_state["removing"] = chosen
        if not chosen:
            st.html('<p class="small">Select rows to tag or remove them.</p>', width="content")
    names: list[str] = st.session_state.get("removing", [])
    if not names:
        return
    html = (
        f"Remove {_first(names)} from the next snapshot? "
        '<span class="next">Originals and paid vectors are kept: adding the same files again embeds nothing.</span>'
    )
    with note(html, "orange", "remove"):
        if st.button("Remove", type="primary", key="remove_confirm"):
            st.session_state.pop("removing")
            st.session_state["table_turn"] = st.session_state.get("table_turn", 0) + 1
            session.start_job(notebook, "remove", names=names)
            gone = set(names)
            _removed()[notebook.slug] = [
                (row.name, row.digest, tags.get(row.source_id, ())) for row in rows if row.name in gone
            ]
            st.rerun()
        if st.button("Keep", key="remove_keep", type="tertiary"):
            st.session_state.pop("removing")
            st.rerun()


def undo(notebook: Notebook, job: Job | None) -> None:
    """After a removal has ended, and as long as its card stands: offer to put the sources back."""
    if job is None or job.kind != "remove":
        _removed().pop(notebook.slug, None)
        return
    gone = _removed().get(notebook.slug)
    if not gone or job.outcome is None:
        return
    html = f"Removed {_first([name for name, _, _ in gone])}. Putting back embeds nothing."
    with note(html, "gray", "put_back"):
        if st.button("Put back", key="put_back", icon=":material/undo:"):
            from rag import Incoming

            originals = notebook.place.originals
            incoming = [
                Incoming(name, path=originals.path(digest), uploaded=True, tags=tags) for name, digest, tags in gone
            ]
            session.start_job(notebook, "add", incoming=incoming)
            st.rerun()


def _first(names: Sequence[str]) -> str:
    return f"“{escaped(names[0])}”" + (f" and {wording.number(len(names) - 1)} more" if len(names) > 1 else "")


def _removed() -> dict[str, list[tuple[str, str, tuple[str, ...]]]]:
    """What this session removed last: names, digests and tags, by notebook."""
    removed: dict[str, list[tuple[str, str, tuple[str, ...]]]] = st.session_state.setdefault("removed", {})
    return removed

"""Library: add documents, follow the build, see what became of each, remove."""

from __future__ import annotations

import streamlit as st

from ui import session, uploads, wording
from ui.banner import verdict_banner
from ui.frame import Page, frame
from ui.job_card import job_card
from ui.source_table import source_table, summary
from ui.untrusted import escaped
from ui.widgets import header, note

TYPES = "PDF, Word, HTML, Markdown, text, CSV and more"


def main() -> None:
    """Draw the Library page."""
    with frame("Library") as page:
        counts = page.status.counts
        facts = [wording.count(page.status.registered, "document")]
        if counts is not None:
            facts.append(wording.count(counts.chunks, "chunk"))
        header("Library", " · ".join(facts))
        job = session.job(page.notebook)
        _uploader(page, busy=job is not None and job.running)
        job_card(page.notebook)
        verdict_banner(page, links=False)
        if page.status.registered:
            _sources(page)


def _uploader(page: Page, *, busy: bool) -> None:
    turn = st.session_state.setdefault("upload_turn", 0)
    with st.container(border=True, key="card_upload", gap="xsmall"):
        files = st.file_uploader(
            "Add documents",
            accept_multiple_files=True,
            max_upload_size=uploads.LIMIT_MB,
            key=f"upload_{turn}",
            disabled=busy,
        )
        hint = "One build at a time: add more when this one has ended." if busy else f"{TYPES}. Embedded once and kept."
        st.html(f'<p class="small">{hint}</p>')
    if files:
        st.session_state["upload_turn"] = turn + 1  # a new, empty uploader: these files are never taken twice
        uploads.add(page.notebook, files)
        st.rerun()


def _sources(page: Page) -> None:
    slot = st.skeleton(320)
    rows = page.notebook.sources()
    with slot.container():
        summary(rows)
        chosen = source_table(rows)
        _remove(page, chosen)


def _remove(page: Page, chosen: list[str]) -> None:
    """Remove what is selected, after a second word."""
    with st.container(horizontal=True, key="bulk", vertical_alignment="center"):
        label = f"Remove {len(chosen)}" if chosen else "Remove"
        if st.button(label, icon=":material/delete:", disabled=not chosen, key="remove"):
            st.session_state["removing"] = chosen
        if not chosen:
            st.html('<p class="small">Select rows to remove them.</p>', width="content")
    names: list[str] = st.session_state.get("removing", [])
    if not names:
        return
    first = f"“{escaped(names[0])}”" + (f" and {wording.number(len(names) - 1)} more" if len(names) > 1 else "")
    html = (
        f"Remove {first} from the next snapshot? "
        '<span class="next">Originals and paid vectors are kept: adding the same files again embeds nothing.</span>'
    )
    with note(html, "orange", "remove"):
        if st.button("Remove", type="primary", key="remove_confirm"):
            st.session_state.pop("removing")
            st.session_state["table_turn"] = st.session_state.get("table_turn", 0) + 1
            session.start_job(page.notebook, "remove", names=names)
            st.rerun()
        if st.button("Keep", key="remove_keep", type="tertiary"):
            st.session_state.pop("removing")
            st.rerun()


main()

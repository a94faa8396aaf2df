"""Library: add documents, follow the build, see what became of each, tag, remove."""

from __future__ import annotations

import streamlit as st

from ui import session, wording
from ui.banner import verdict_banner
from ui.frame import Page, frame
from ui.library import removing, tagging, uploads
from ui.library.job_card import job_card
from ui.library.source_table import source_table, summary
from ui.widgets import header

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
        removing.undo(page.notebook, job_card(page.notebook))
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
        tags = tagging.for_new(page.notebook, turn) if page.status.registered and not busy else ()
    if files:
        st.session_state["upload_turn"] = turn + 1  # a new, empty uploader: these files are never taken twice
        uploads.add(page.notebook, files, tags)
        st.rerun()


def _sources(page: Page) -> None:
    slot = st.skeleton(320)
    rows = page.notebook.sources()
    with slot.container():
        summary(rows)
        tags = tagging.current(page.notebook)
        chosen = source_table(rows, tags or {})
    # Outside the slot, which every run empties first: who types one tag after the other must not lose the field.
    if tags is not None:
        tagging.editor(page.notebook, rows, tags, chosen)
    removing.remove(page.notebook, rows, chosen, tags or {})


main()

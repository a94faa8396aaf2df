"""The Notebook page, and the entry of the server: `streamlit run app.py`.

Run as a script it draws the page. Imported, as Streamlit's server does once at its start, it is an application that
warms up the slow imports in the background, so that the first visitor finds the index open.
"""

from __future__ import annotations

import streamlit as st

import rag
from rag.errors import NotFound
from rag.manifest import VerdictName
from ui import session, wording
from ui.banner import verdict_banner
from ui.frame import Page, frame
from ui.library import uploads
from ui.library.job_card import job_card
from ui.notebook.asking import REFILL, ask, forget_unanswered, unanswered
from ui.notebook.cells import Asked, draw_cells, request
from ui.notebook.restricting import restriction, search_in
from ui.untrusted import escaped
from ui.widgets import empty, header, note


def main() -> None:
    """Draw the Notebook page."""
    with frame("Notebook") as page:
        cells = page.notebook.cells()
        facts = [wording.count(len(cells), "cell"), wording.count(page.status.registered, "document")]
        header(page.notebook.title, " · ".join(facts))
        draw_cells(page, cells)
        # Below the cells: with an ask box the page opens at its end, so that is where news is seen.
        _undo(page)
        job = job_card(page.notebook)
        verdict_banner(page)
        hint = st.container()
        if page.status.verdict.snapshot is not None:
            search_in(page)
        said = _ask_box(page)
        if said is not None:
            request(Asked(said, restriction(page)))
        asked: Asked | None = st.session_state.get("asked")
        building = job is not None and job.running and st.session_state.get("after_job", False)
        if asked is None or building or page.status.verdict.snapshot is None:
            _unanswered(asked)
            if not cells and not (job is not None and job.running):
                with hint:
                    _empty(page)
            return
        st.session_state.pop("asked")
        st.session_state.pop("after_job", None)
        if job is not None and not job.running:
            session.close_job(page.notebook)
        ask(page, len(cells) + 1, asked)


def _empty(page: Page) -> None:
    if page.status.verdict.name is not VerdictName.EMPTY:
        if page.status.verdict.snapshot is not None:
            empty("forum", "Ask your first question", "Answers quote the passages they come from.", "first")
        return
    sentence = "They are embedded once and kept. The next start opens the saved index in milliseconds."
    if page.status.registered:
        sentence = page.status.verdict.sentence
    with empty("auto_stories", "Add documents, then ask", sentence, "empty"):
        if st.button("Add documents", type="primary", icon=":material/upload_file:", key="add_documents"):
            st.switch_page("pages/library.py")
        if st.button("Use the sample library", icon=":material/library_books:", key="use_sample"):
            incoming = rag.sample_library()
            if not incoming:
                raise NotFound("The sample library is not installed here. Add documents of your own.")
            session.start_job(page.notebook, "add", incoming=incoming)
            st.rerun()


def _ask_box(page: Page) -> str | None:
    if REFILL in st.session_state:
        st.session_state["ask"] = st.session_state.pop(REFILL)
    said = st.chat_input(
        "Ask your documents, or drop files here to add them",
        key="ask",
        accept_file="multiple",
        max_upload_size=uploads.LIMIT_MB,
        submit_mode="stop",
    )
    if said is None:
        return None
    question = said.text.strip()
    if said.files:
        uploads.add(page.notebook, said.files)
        if question:
            request(Asked(question, restriction(page)))
            st.session_state["after_job"] = True
        st.rerun()
    return question or None


def _undo(page: Page) -> None:
    dropped = st.session_state.get("dropped")
    if dropped is None:
        return
    with note(f"Deleted “{escaped(dropped.answer.question)}”.", "gray", "undo"):
        if st.button("Undo", key="undo", icon=":material/undo:"):
            page.notebook.put_back_cell(dropped)
            st.session_state.pop("dropped")
            st.rerun()
        if st.button("Close", key="undo_close", type="tertiary", icon=":material/close:"):
            st.session_state.pop("dropped")
            st.rerun()


def _unanswered(asked: Asked | None) -> None:
    """A question that has no answer yet is never lost: it waits here."""
    if asked is not None:
        with note(f"“{escaped(asked.question)}” is asked as soon as the documents are in.", "blue", "waiting"):
            if st.button("Close", key="waiting_close", type="tertiary", icon=":material/close:"):
                st.session_state.pop("asked")
                st.rerun()
        return
    retry = unanswered()
    if retry is None:
        return
    with note(f"“{escaped(retry.question)}” has no answer yet.", "orange", "retry"):
        if st.button("Ask again", key="retry_ask", icon=":material/replay:"):
            forget_unanswered()
            request(retry)
            st.rerun()
        if st.button("Close", key="retry_close", type="tertiary", icon=":material/close:"):
            forget_unanswered()
            st.rerun()


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, lifespan=session.lifespan())

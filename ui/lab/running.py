"""The Lab's cards: choose a question set, run it, follow and cancel the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

import rag
from rag.errors import NotFound, QuestionSetInvalid
from rag.evaluation import job as trials
from rag.evaluation.question_set import QuestionSet, parse_questions, questions_of, written
from rag.evaluation.trial import Side, Trial
from ui import session, wording
from ui.frame import Page, boundary
from ui.untrusted import escaped
from ui.widgets import card, error_card, note

if TYPE_CHECKING:
    from rag import Notebook
    from rag.evaluation.job import TrialJob

LIMIT_MB = 50
_ALONE = "nothing"


def choose_set(page: Page) -> QuestionSet | None:
    """Draw the card of question sets; the chosen one. It stays chosen when the reader turns to another page."""
    key = f"lab_set_{page.notebook.slug}"
    with card("lab_set"):
        st.html('<h2 class="question">Question set</h2>')
        file = st.file_uploader(
            "A .jsonl file: one question a line, with the sources or answers expected",
            type=["jsonl", "json", "txt"],
            max_upload_size=LIMIT_MB,
            key="lab_upload",
        )
        # Streamlit gives the same file again on every run: it is taken once, or choosing the cells would not last.
        if file is not None and st.session_state.get("lab_file") != file.file_id:
            st.session_state["lab_file"] = file.file_id
            try:
                st.session_state[key] = parse_questions(file.getvalue(), file.name)
            except QuestionSetInvalid as error:
                st.session_state[key] = error
        _cells(page, key)
        chosen: QuestionSet | QuestionSetInvalid | None = st.session_state.get(key)
        if isinstance(chosen, QuestionSetInvalid):
            error_card(chosen, "lab_set")
            return None
        words = _described(chosen) if chosen else "No set is chosen yet."
        st.html(f'<p class="small" data-hook="lab-set">{escaped(words)}</p>')
        return chosen


def _cells(page: Page, key: str) -> None:
    """The notebook's own cells: as the set to run, and as a file."""
    questions = questions_of(page.notebook.cells())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("Use this notebook’s cells", icon=":material/forum:", key="lab_cells", disabled=not questions):
            st.session_state[key] = QuestionSet("this notebook’s cells", questions)
        st.download_button(
            "Save the cells as a set",
            written(questions),
            file_name=f"{page.notebook.slug}-questions.jsonl",
            mime="application/jsonl",
            icon=":material/download:",
            key="lab_save",
            disabled=not questions,
            on_click="ignore",
        )
    if not questions:
        st.html('<p class="small">Cells can be used once one of them has a verified citation.</p>')


def _described(chosen: QuestionSet) -> str:
    questions = chosen.questions
    parts = [
        (sum(bool(one.sources) for one in questions), "with expected sources"),
        (sum(bool(one.answers) for one in questions), "with accepted answers"),
        (sum(one.answerable is False for one in questions), "to be declined"),
    ]
    facts = [wording.count(len(questions), "question"), *(f"{wording.number(n)} {what}" for n, what in parts if n)]
    return f"{chosen.name}: {', '.join(facts)}."


def run_card(page: Page, snapshot: int, chosen: QuestionSet | None, *, busy: bool) -> None:
    """Draw what a run can be told, and its button."""
    with card("lab_run"):
        st.html(f'<h2 class="question">Run on snapshot {snapshot}</h2>')
        others = _others(page, snapshot)
        against = st.selectbox("Compare with", [_ALONE, *others], key=f"lab_against_{page.notebook.slug}_{snapshot}")
        k = st.number_input("Passages per question", 1, 200, 8, key="lab_k")
        answers = st.toggle("Write answers too", value=True, key="lab_answers", help="Without, only the search is run")
        config = page.notebook.config
        if answers and chosen is not None and config.llm != "none":
            sides = 1 if against == _ALONE else 2
            asked = wording.count(sides * len(chosen.questions), "answer")
            words = f"{config.llm_model or config.llm} writes up to {asked}: each is paid for as any other."
            st.html(f'<p class="small">{escaped(words)}</p>')
        if st.button(
            "Run", type="primary", icon=":material/play_arrow:", key="lab_run", disabled=busy or chosen is None
        ):
            assert chosen is not None
            side, other = _side(page, snapshot, others, against)
            trials.start(page.notebook, Trial(chosen, side, other, k=int(k), answers=answers))
            st.rerun()


def _others(page: Page, snapshot: int) -> dict[str, tuple[str, int | None]]:
    """What there is to compare with: label → notebook, and snapshot where it is not the newest."""
    slug = page.notebook.slug
    found: dict[str, tuple[str, int | None]] = {
        f"snapshot {one.snapshot}": (slug, one.snapshot)
        for one in page.notebook.history()
        if one.snapshot != snapshot and one.counts.chunks
    }
    for other in rag.list_notebooks(page.notebook.config):
        if other != slug:
            found[f"notebook {other}"] = (other, None)
    return found


def _side(
    page: Page, snapshot: int, others: dict[str, tuple[str, int | None]], against: str
) -> tuple[Side, Side | None]:
    mine = session.opened(page.notebook, snapshot)
    if against == _ALONE:
        return Side(mine, f"snapshot {snapshot}"), None
    slug, number = others[against]
    if number is not None:
        return Side(mine, f"snapshot {snapshot}"), Side(session.opened(page.notebook, number), against)
    other = rag.open_notebook(rag.load_config(), slug)
    number = other.status().verdict.snapshot
    if number is None:
        raise NotFound(f"The notebook {slug} has no snapshot to compare with. Build it first.")
    return Side(mine, f"notebook {page.notebook.slug}"), Side(session.opened(other, number), against)


def trial_card(notebook: Notebook, job: TrialJob | None) -> None:
    """Draw the running trial, polling itself, or how the last one ended where it did not end well."""
    st.fragment(_trial, run_every=0.5 if job is not None and job.running else None, key="trial")(notebook, job)


def _trial(notebook: Notebook, job: TrialJob | None) -> None:
    if job is None:
        return
    with boundary("trial"):
        if job.running:
            st.session_state["watching_trial"] = job.started
            _running(job)
        elif st.session_state.pop("watching_trial", None) == job.started:
            st.rerun()  # the whole page: it has results to show, and the polling ends
        else:
            _ended(notebook, job)


def _running(job: TrialJob) -> None:
    trial = job.trial
    done = len(trial.rows)
    with card("trial"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.html(f"<b>{escaped(job.title)}</b>", width="content")
            with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small"):
                state = "Stopping" if job.cancelling else f"{wording.number(done)} of {wording.number(trial.total)}"
                st.html(f'<p class="small" data-hook="trial-rate">{escaped(state)}</p>', width="content")
                if st.button(
                    "Cancel",
                    icon=":material/stop_circle:",
                    key="trial_cancel",
                    type="tertiary",
                    disabled=job.cancelling,
                ):
                    job.cancel()
                    st.toast("Stopping. The questions asked so far are kept.")
        st.progress(done / trial.total)


def _ended(notebook: Notebook, job: TrialJob) -> None:
    trial = job.trial
    so_far = f"{wording.number(len(trial.rows))} of {wording.count(trial.total, 'question')} asked."
    if job.error is not None:
        actions = error_card(job.error, "trial")
    elif trial.stopped:
        actions = note(f"Stopped by you: {escaped(so_far)}", "gray", "trial")
    else:
        return
    with actions:
        if st.button("Close", key="trial_close", type="tertiary", icon=":material/close:"):
            trials.forget(notebook)
            st.rerun()

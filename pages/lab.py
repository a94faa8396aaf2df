"""Lab: saved questions run against the index, measured, and compared with another snapshot."""

from __future__ import annotations

import streamlit as st

from rag.evaluation import job as trials
from ui.banner import verdict_banner
from ui.frame import MENU, Page, frame
from ui.lab.results import results
from ui.lab.running import choose_set, run_card, trial_card
from ui.widgets import empty, header


def main() -> None:
    """Draw the Lab page."""
    with frame("Lab") as page:
        header("Lab", "Saved questions, run against the index and measured. Each costs what asking it costs.")
        verdict_banner(page)
        if page.status.verdict.snapshot is None:
            _nothing_to_ask()
            return
        _draw(page, page.status.verdict.snapshot)


def _nothing_to_ask() -> None:
    sentence = "Add documents first: questions are asked of a built index."
    with empty("labs", "Nothing to measure yet", sentence, "lab_empty"):
        st.page_link(MENU[1][1], label="Add documents", icon=":material/upload_file:")


def _draw(page: Page, snapshot: int) -> None:
    job = trials.current(page.notebook)
    running = job is not None and job.running
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        chosen = choose_set(page)
    with right:
        run_card(page, snapshot, chosen, busy=running)
    trial_card(page.notebook, job)
    if job is None:
        empty("labs", "No results yet", "Choose a question set and run it: the measures come here.", "lab_none")
    elif not running and job.trial.rows:
        results(job.trial)


main()

"""The card of a running or just finished job: bar, counts, rate, time left, a line per file, cancel. Polls itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import streamlit as st

from rag.errors import Cancelled, RagbookError
from rag.progress import Event, Stage
from ui import session, wording
from ui.frame import boundary
from ui.untrusted import escaped
from ui.widgets import badge_html, error_card, note

if TYPE_CHECKING:
    from rag import Notebook, Outcome
    from rag.jobs import Job

SHOWN = 40
"""Lines per card; more files are counted, failed ones shown first."""

_STAGES = {
    Stage.STORE: ("Copying originals", "file"),
    Stage.READ: ("Reading and splitting", "file"),
    Stage.EMBED: ("Embedding", "chunk"),
    Stage.WRITE: ("Writing the index", "step"),
    Stage.VERIFY: ("Checking the index", "step"),
    Stage.PUBLISH: ("Publishing the snapshot", "step"),
}
_WEIGHTS = {
    Stage.STORE: 0.04,
    Stage.READ: 0.16,
    Stage.EMBED: 0.7,
    Stage.WRITE: 0.06,
    Stage.VERIFY: 0.02,
    Stage.PUBLISH: 0.02,
}


def job_card(notebook: Notebook) -> Job | None:
    """Draw the notebook's job, if there is one to show, and return it."""
    job = session.job(notebook)
    st.fragment(_draw, run_every=0.5 if job is not None and job.running else None, key="job")(notebook, job)
    return job


def _draw(notebook: Notebook, job: Job | None) -> None:
    if job is None:
        return
    with boundary("job"):
        if job.running:
            st.session_state["watching"] = job.started
            _running(job)
        elif st.session_state.pop("watching", None) == job.started:
            st.rerun()  # the whole page: it has a new snapshot to show, and the polling ends
        else:
            _ended(notebook, job)


def _running(job: Job) -> None:
    latest = job.progress
    with st.container(border=True, key="card_job", gap="small"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.html(f"<b>{escaped(job.title)}</b>", width="content")
            with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small"):
                st.html(f'<p class="small" data-hook="job-rate">{_rate(job, latest)}</p>', width="content")
                if st.button(
                    "Cancel", icon=":material/stop_circle:", key="job_cancel", type="tertiary", disabled=job.cancelling
                ):
                    job.cancel()
                    st.toast("Stopping. What was embedded so far is kept.")
        st.progress(_share(latest))
        _files(job)


def _ended(notebook: Notebook, job: Job) -> None:
    if job.error is not None:
        _failed(notebook, job, job.error)
    elif job.outcome is not None:
        _done(notebook, job, job.outcome)


def _failed(notebook: Notebook, job: Job, error: RagbookError) -> None:
    if isinstance(error, Cancelled):
        actions = note(f"{escaped(job.title)}: stopped. {escaped(str(error))}", "gray", "job")
    else:
        actions = error_card(error, "job")
    with actions:
        if st.button("Try again", key="job_again", icon=":material/replay:"):
            session.start_job(notebook, "build")
            st.rerun()
        _close(notebook)


def _done(notebook: Notebook, job: Job, outcome: Outcome) -> None:
    verdict = outcome.verdict
    with st.container(border=True, key="card_job", gap="small"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            after = f"snapshot {verdict.snapshot}" if verdict.snapshot is not None else ""
            words = f"{badge_html(verdict.name, after)} {escaped(verdict.sentence)}"
            st.html(f'<p class="note" data-hook="outcome">{words}</p>', width="stretch")
            _close(notebook)
        embedded, reused = outcome.chunks.embedded, outcome.chunks.reused
        facts = [
            f"{wording.count(embedded, 'chunk')} embedded, {wording.number(reused)} reused",
            wording.duration(verdict.receipt.seconds),
            wording.money(verdict.receipt.cost_usd),
        ]
        st.html(f'<p class="small">{escaped(" · ".join(facts))}</p>')
        _files(job)


def _close(notebook: Notebook) -> None:
    if st.button("Close", key="job_close", type="tertiary", icon=":material/close:"):
        session.close_job(notebook)
        st.rerun()


def _files(job: Job) -> None:
    """A line per file, failed ones first; once the job has ended, the good ones are folded away."""
    lines = [(_line(name, event, job.running), event.failed) for name, event in dict(job.latest).items()]
    failed, good = [line for line, bad in lines if bad], [line for line, bad in lines if not bad]
    if job.running:
        st.html(_list([*failed, *good]))
        return
    if failed:
        st.html(_list(failed))
    if good:
        st.html(
            f'<details class="files"><summary>{wording.count(len(good), "file")} read</summary>{_list(good)}</details>'
        )


def _list(lines: list[str]) -> str:
    more = f'<li class="more">and {wording.number(len(lines) - SHOWN)} more</li>' if len(lines) > SHOWN else ""
    return f'<ul class="lines">{"".join(lines[:SHOWN])}{more}</ul>'


def _line(name: str, event: Event, running: bool) -> str:
    state = "failed" if event.failed else "done" if event.outcome or not running else ""
    doing = "kept, waits to be read" if event.stage is Stage.STORE else _STAGES[event.stage][0].lower()
    why = event.outcome or doing
    return f'<li class="{state}"><span class="name">{escaped(name)}</span><span class="why">{escaped(why)}</span></li>'


def _rate(job: Job, latest: Event | None) -> str:
    return escaped(" · ".join(_rate_parts(job, latest)))


def _rate_parts(job: Job, latest: Event | None) -> Iterator[str]:
    if job.cancelling:
        yield "Stopping"
        return
    if job.waiting_for:
        yield job.waiting_for
        return
    if latest is None:
        yield f"starting, {wording.duration(time.time() - job.started)}"
        return
    doing, noun = _STAGES[latest.stage]
    yield f"{doing}: {wording.number(latest.done)} of {wording.count(latest.total, noun)}"
    if latest.rate:
        yield f"{latest.rate:.0f} per s"
    if latest.seconds_left is not None:
        yield wording.remaining(latest.seconds_left)
    if latest.cost_usd:
        yield wording.money(latest.cost_usd)


def _share(latest: Event | None) -> float:
    """How much of the whole job is done: stages weighed by how long they usually take."""
    if latest is None:
        return 0.0
    before = sum(
        weight for stage, weight in _WEIGHTS.items() if list(Stage).index(stage) < list(Stage).index(latest.stage)
    )
    part = latest.done / latest.total if latest.total else 1.0
    return min(1.0, before + _WEIGHTS[latest.stage] * part)

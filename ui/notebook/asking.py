"""A question under way: asked in a thread, drawn as it comes, kept when it ends or is stopped."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

import rag
from rag.asking.followups import REMEMBERED, Turn
from rag.citing.answer import Answer
from rag.citing.claims.markers import as_streamed
from rag.errors import Damaged
from rag.manifest import Receipt
from ui import session, wording
from ui.frame import Page, outdated
from ui.notebook.cells import Asked, question_html
from ui.untrusted import answer_html, escaped

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from rag.asking.opening import Opened
    from rag.sources.restriction import Restriction

FRAMES = 30
"""Redraws of a streaming answer per second, however fast its words come."""
LOOKS = 10
"""Times a second that something is drawn while no words come: only then does Streamlit notice the stop button."""
REFILL = "refill"
"""Key of the session state: a question whose asking failed, for the box."""
PATIENCE = 4.0
"""Seconds to wait for a stopped answer to come to its end by itself, with passages and citations."""

Item = str | Answer | Exception


class Asking:
    """One question in a thread of its own, so that a stop is noticed while the model is silent."""

    def __init__(
        self, opened: Opened, question: str, earlier: Sequence[Turn] = (), only: Restriction | None = None
    ) -> None:
        self.text = ""
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._opened, self._question, self._earlier, self._only = opened, question, earlier, only
        threading.Thread(target=self._run, name="ask", daemon=True).start()

    def _run(self) -> None:
        try:
            for item in rag.ask(
                self._opened, self._question, cancelled=self._cancelled.is_set, earlier=self._earlier, only=self._only
            ):
                self._items.put(item)
        except Exception as error:  # noqa: BLE001 it crosses to the page's thread, which raises it
            self._items.put(error)

    def next(self, seconds: float) -> Answer | None:
        """Collect what comes within `seconds`; the Answer once it is there. Raises what asking did."""
        item = self._last(seconds)
        if isinstance(item, Exception):
            raise item
        return item

    def _last(self, seconds: float) -> Answer | Exception | None:
        """What ended it, if that comes within `seconds`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                item = self._items.get(timeout=left)
            except queue.Empty:
                return None
            if not isinstance(item, str):
                return item
            self.text += item
        return None

    def stop(self) -> Answer | None:
        """Stop asking; the partial answer, if it comes in time. The user has turned away: a failure is not told,
        and what had come is what there is."""
        self._cancelled.set()
        item = self._last(PATIENCE)
        return item if isinstance(item, Answer) else None


def ask(page: Page, number: int, asked: Asked) -> None:
    """Ask, draw, keep; then show the page anew. A stop or a leave keeps what had come."""
    snapshot = page.status.verdict.snapshot
    if snapshot is None:
        return
    question, replaces = asked.question, asked.replaces
    # A plain dict, taken out once: after a stop every touch of the session state would end the run again.
    under_way: dict[str, Asked] = st.session_state.setdefault("under_way", {})
    under_way.clear()
    under_way["asked"] = asked
    st.fragment(_after_stop, run_every=0.7, key="after_stop")()
    with st.container(border=True, key="card_live", gap="small"):
        st.html(question_html(number, question))
        body, line = st.empty(), st.empty()
        line.html('<p class="small">Opening the saved index</p>')
        try:
            index = session.opened(page.notebook, snapshot)
            index.check()
        except Damaged:
            session.forget_opened()  # what is repaired in place is the same snapshot
            if outdated(page):
                st.session_state["asked"] = asked  # of the snapshot that answers instead
                st.rerun()
            raise
        asking = Asking(index, question, _above(page, replaces), asked.only)
        try:
            answer = _follow(asking, body, line)
        except Exception:
            st.session_state[REFILL] = question
            raise
        except BaseException:  # Streamlit's way to end a run: the stop button, a click elsewhere, a closed tab
            _keep(page, asking.stop() or _partial(page, snapshot, asked, asking.text), replaces)
            under_way.clear()
            under_way["stopped"] = asked
            raise
    _keep(page, answer, replaces)
    under_way.clear()
    if answer.kind == "failed":
        st.session_state[REFILL] = question
    st.rerun()


def _above(page: Page, replaces: str | None) -> list[Turn]:
    """The questions above this one: all cells, or those above the one to be replaced."""
    cells = page.notebook.cells()
    own = next((at for at, cell in enumerate(cells) if cell.id == replaces), len(cells))
    answered = ("extractive", "generated", "stopped")
    return [
        Turn(cell.answer.question, cell.answer.text if cell.answer.kind in answered else "")
        for cell in cells[max(0, own - REMEMBERED) : own]
    ]


def unanswered() -> Asked | None:
    """The question whose asking failed, if there is one."""
    under_way: dict[str, Asked] = st.session_state.get("under_way", {})
    return under_way.get("asked")


def forget_unanswered() -> None:
    """Let go of that question."""
    st.session_state.get("under_way", {}).clear()


def _follow(asking: Asking, body: DeltaGenerator, line: DeltaGenerator) -> Answer:
    began, shown, said = time.monotonic(), "", -1
    while True:
        answer = asking.next(1 / FRAMES)
        if answer is not None:
            return answer
        if asking.text != shown:
            shown = asking.text
            body.html(answer_html(as_streamed(shown)))
        second = int((time.monotonic() - began) * LOOKS)
        if second != said:  # also while nothing comes: drawing is where Streamlit notices the stop button
            said = second
            doing = "Writing" if shown else f"Searching {wording.NAME}’s index and waiting for the first word"
            line.html(f'<p class="small" data-hook="asking">{escaped(doing)}, {second / LOOKS:.0f} s</p>')


def _keep(page: Page, answer: Answer, replaces: str | None) -> None:
    page.notebook.keep_cell(answer)
    if replaces is not None:
        page.notebook.drop_cell(replaces)


def _partial(page: Page, snapshot: int, asked: Asked, text: str) -> Answer:
    status = page.status
    model = page.notebook.config.llm_model or page.notebook.config.llm
    return Answer(
        asked.question, text, "stopped", (), (), snapshot, status.verdict.name, status.recipe_fp or "",
        status.space_fp or "", model, Receipt(cost_usd=None), only=asked.only,
    )  # fmt: skip


def _after_stop() -> None:
    """The stop button ends the run where it is; this fragment's next tick shows the page with what was kept."""
    if st.session_state.get("under_way", {}).pop("stopped", None) is not None:
        st.rerun()

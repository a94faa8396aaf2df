"""The frame around every page: settings, style, menu, notebook choice, verdict card, and the one error boundary."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

import rag
from rag.errors import Damaged, RagbookError
from rag.manifest import VerdictName
from rag.models.addresses import SERVED
from ui import session, wording
from ui.untrusted import escaped
from ui.widgets import badge, error_card, note

if TYPE_CHECKING:
    from rag import Notebook, Status

log = logging.getLogger("ragbook.ui")
HERE = Path(__file__).parent
MENU = (
    ("Notebook", "app.py", "auto_stories"),
    ("Library", "pages/library.py", "folder_open"),
    ("Index versions", "pages/versions.py", "layers"),
    ("Lab", "pages/lab.py", "labs"),
    ("Settings", "pages/settings.py", "tune"),
)


@dataclass(frozen=True)
class Page:
    """What the frame found: the notebook, its status, and when this run of the page began."""

    notebook: Notebook
    status: Status
    started: float


@contextmanager
def frame(title: str) -> Iterator[Page]:
    """Draw the frame; the page draws itself in the body. An error in the body becomes a sentence on the page."""
    started = time.time()
    SERVED.told(st.get_option("server.address"))  # before any address that was saved on a page is used
    # Without a local icon every visitor's browser would ask Google for one.
    st.set_page_config(page_title=f"{title} · {wording.NAME}", page_icon=str(HERE / "mark.svg"), layout="wide")
    st.html(HERE / "style.css")
    st.logo(str(HERE / "mark.svg"), size="large", icon_image=str(HERE / "mark.svg"))
    _menu()
    page = None
    with boundary("open"):
        page = _look(session.notebook(), started)
    if page is None:
        st.stop()
    with st.sidebar, boundary("sidebar"):
        waiting = session.is_warming() and page.status.verdict.snapshot is not None
        st.fragment(_verdict_card, run_every=1.0 if waiting else None, key="verdict")(page, waiting)
        _chooser(page.notebook)
    with boundary(title):
        yield page


@contextmanager
def boundary(key: str = "page") -> Iterator[None]:
    """Turn every error below into a sentence on the screen. Fragments and dialogs run outside the page: they too."""
    try:
        yield
    except RagbookError as error:
        log.info("%s: %s", type(error).__name__, error)
        error_card(error, f"error_{key}")
    except Exception:
        reference = secrets.token_hex(3)
        log.exception("unexpected error, reference %s", reference)
        sentence = f"Something failed that {wording.NAME} did not expect. The server's log has it under {reference}."
        note(f'<span role="alert">{escaped(sentence)}</span>', "red", f"error_{key}")


def _look(notebook: Notebook, started: float) -> Page:
    """The page's facts. Where opening finds damage that looking did not see, looked at again: the verdict says so then,
    and names the snapshot that answers instead. Not by a rerun, which would lose what was just asked."""
    while True:
        page = Page(notebook, notebook.status(), started)
        try:
            _load(page)
        except Damaged:
            if outdated(page):
                continue
        except (RagbookError, OSError):  # the card opens it again, and says there what failed
            return page
        return page


def _menu() -> None:
    slug = str(st.session_state.get("slug", session.MAIN))
    asked = st.query_params.get("notebook", slug)
    query = {} if asked == session.MAIN else {"notebook": asked}
    with st.sidebar.container(key="menu", gap="xsmall"):
        for title, path, icon in MENU:
            st.page_link(path, label=title, icon=f":material/{icon}:", query_params=query, width="stretch")


def _chooser(current: Notebook) -> None:
    existing = rag.list_notebooks(current.config)
    slugs = sorted({*existing, current.slug})
    if len(slugs) > 1:
        key = f"notebook_{current.slug}"  # another notebook, another widget: never shows what is no longer current

        def changed() -> None:
            session.choose(str(st.session_state[key]))

        st.selectbox("Notebook", slugs, index=slugs.index(current.slug), key=key, on_change=changed)
    if existing:
        with st.popover("New notebook", icon=":material/add:", type="tertiary", key="new_notebook"):
            _new_notebook()


def _new_notebook() -> None:
    with boundary("new_notebook"), st.form("new_notebook_form", border=False):
        title = st.text_input("Title", placeholder="Contracts 2026", key="new_notebook_title", max_chars=80)
        if not st.form_submit_button("Create", type="primary", key="new_notebook_create"):
            return
        if not title.strip():
            st.html('<p class="small bad">Give it a title.</p>')
            return
        session.create(title.strip())
        st.rerun()


def _verdict_card(page: Page, waiting: bool) -> None:
    with boundary("card"), st.container(border=True, key="card_index", gap="xsmall"):
        verdict = page.status.verdict
        try:
            load = _load(page)
        except Damaged:
            if waiting and outdated(page):  # a tick of the card's own: nothing was asked in it
                st.rerun()
            raise
        if waiting and load is not None:
            st.rerun()
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            job = session.job(page.notebook)
            working = job is not None and job.running
            st.markdown(badge(VerdictName.BUSY if working else verdict.name), width="content")
            if verdict.snapshot is not None:
                st.html(f'<p class="small">snapshot {verdict.snapshot}</p>', width="content")
        st.html("".join(f'<p class="small">{line}</p>' for line in _lines(page, load)))
        if verdict.name is not VerdictName.EMPTY:
            label = "Why a hit?" if verdict.name is VerdictName.HIT else "Why?"
            st.page_link(MENU[2][1], label=label, icon=":material/arrow_forward:", icon_position="right")


def _load(page: Page) -> tuple[float, float] | None:
    snapshot = page.status.verdict.snapshot
    if snapshot is None:
        return None
    if session.is_warm():
        session.opened(page.notebook, snapshot)
    return session.load_of(page.notebook, snapshot)


def outdated(page: Page) -> bool:
    """Whether another snapshot answers by now than the page's verdict says: opening found damage that looking did not
    see. Drawn anew, the page says so."""
    return page.notebook.status().verdict.snapshot != page.status.verdict.snapshot


def _lines(page: Page, load: tuple[float, float] | None) -> Iterator[str]:
    status = page.status
    job = session.job(page.notebook)
    if job is not None and job.running:
        yield f"<b>{escaped(job.title)}</b>, see the Library"
        if status.verdict.snapshot is None:
            return
    if status.verdict.name is VerdictName.EMPTY:
        yield (
            f"{wording.count(status.registered, 'document')}, none readable"
            if status.registered
            else "No documents yet"
        )
        return
    if status.verdict.snapshot is None:
        yield f"{wording.count(status.registered, 'source')}, no index" if status.registered else "Not opened"
        return
    calls = wording.count(status.verdict.receipt.calls, "embedding call").replace("no ", "0 ")
    if load is None:
        where = "opening" if session.is_warming() else "opens with your first question"
        yield f"<b>On disk</b>, {where}"
    elif load[0] < page.started:
        yield f"<b>In memory</b>, loaded in {wording.duration(load[1])}"
    else:
        yield f"<b>Opened from disk</b> in {wording.duration(load[1])}"
    yield calls
    if status.counts is not None:
        yield " · ".join(
            (
                wording.count(status.counts.chunks, "chunk"),
                wording.count(status.counts.sources, "source"),
                wording.size(status.size_bytes),
            )
        )

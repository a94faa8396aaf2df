"""The verdict as one line with one button, for everything that is not a plain hit."""

from __future__ import annotations

import streamlit as st

from rag.manifest import VerdictName
from ui import session, wording
from ui.frame import MENU, Page
from ui.untrusted import escaped
from ui.widgets import badge_html, note

_QUIET = (VerdictName.HIT, VerdictName.EMPTY)
_LINKS = {
    VerdictName.REFUSED: ("Open settings", MENU[-1][1]),
    VerdictName.SOURCE_ERROR: ("See the sources", MENU[1][1]),
    VerdictName.BUSY: ("Follow it", MENU[1][1]),
    VerdictName.NEWER_FORMAT: ("See the versions", MENU[2][1]),
}


def verdict_banner(page: Page, *, links: bool = True) -> None:
    """Draw it, unless the verdict needs nothing from the user. Without `links`, only buttons that act are drawn."""
    verdict = page.status.verdict
    job = session.job(page.notebook)
    if verdict.name in _QUIET or (job is not None and job.running):
        return
    html = (
        f'{badge_html(verdict.name)}{escaped(verdict.sentence)} <span class="next">{escaped(verdict.next_step)}</span>'
    )
    with note(html, wording.LOOKS[verdict.name].color, "verdict"):
        if label := wording.BUILD_ACTIONS.get(verdict.name):
            if verdict.name is VerdictName.OTHER_RECIPE and _was_built(page):
                label = wording.SWITCH
            if st.button(label, type="primary", key="verdict_action"):
                session.start_job(page.notebook, "build")
                st.rerun()
        elif verdict.name in _LINKS and links:
            label, path = _LINKS[verdict.name]
            st.page_link(path, label=label, icon=":material/arrow_forward:", icon_position="right")


def _was_built(page: Page) -> bool:
    """Whether a snapshot of the wanted recipe exists, so that going to it pays for nothing twice."""
    return any(one.recipe_fp == page.status.recipe_fp for one in page.notebook.history())

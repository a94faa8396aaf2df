"""Index versions: why the index opened as it did, what it cost to build and to open, and every snapshot there is."""

from __future__ import annotations

import streamlit as st

from rag.changes import Change
from rag.manifest import Manifest, Verdict, VerdictName
from rag.wording import changes
from ui import session, wording
from ui.banner import verdict_banner
from ui.frame import Page, frame
from ui.untrusted import escaped
from ui.versions.recipes import compare
from ui.versions.timeline import change_html, timeline
from ui.widgets import Bar, badge_html, bars, card, empty, header, kv


def main() -> None:
    """Draw the Index versions page."""
    with frame("Index versions") as page:
        history = page.notebook.history()
        facts = [wording.count(len(history), "snapshot"), page.notebook.config.home]
        with header("Index versions", " · ".join(facts)):
            if history and st.button(
                "Forget memory", icon=":material/memory:", key="forget", help="Open from disk next time"
            ):
                session.forget_opened()
                st.rerun()
        verdict_banner(page, links=False)
        if not history:
            with empty(
                "layers",
                "No snapshot yet",
                "The first build publishes snapshot 1. Every later one is listed here.",
                "none",
            ):
                st.page_link("pages/library.py", label="Add documents", icon=":material/upload_file:")
            return
        left, right = st.columns([1.15, 1], gap="medium")
        with left:
            _why(page, history)
        with right:
            _times(page, history)
        st.html('<h2 class="question">Timeline</h2>')
        timeline(history)


def _why(page: Page, history: list[Manifest]) -> None:
    status = page.status
    verdict = status.verdict
    saved = status.head or history[0]
    with card("why"):
        st.html(f'<p class="note">{badge_html(verdict.name)} <b>{escaped(verdict.sentence)}</b></p>')
        rows = compare(saved.recipe, status.recipe)
        changed = sum(not row.same for row in rows)
        if verdict.name is VerdictName.HIT:
            words = f"Every part of the recipe saved with snapshot {saved.snapshot} equals what would be built today."
        elif changed:
            parts = wording.count(changed, "part")
            words = f"Not as wanted now: {parts} of the recipe saved with snapshot {saved.snapshot}."
        else:
            words = f"The recipe saved with snapshot {saved.snapshot} is the wanted one."
        st.html(f'<p class="small">{words}</p>')
        kv(
            [
                *((row.label, row.html) for row in rows),
                ("Sources", f"{escaped(_sources(page))} · <code>{wording.fingerprint(saved.sources_fp)}</code>"),
                ("Recipe", _fingerprints(saved.recipe_fp, status.recipe_fp)),
                ("Space", _fingerprints(saved.space_fp, status.space_fp)),
                *((changes.name(change), change_html(change)) for change in _news(verdict)),
            ]
        )


def _news(verdict: Verdict) -> tuple[Change, ...]:
    """What the verdict names beyond the recipe, which is compared above."""
    return () if verdict.name is VerdictName.OTHER_RECIPE else verdict.changes[:12]


def _sources(page: Page) -> str:
    failed = len(page.status.failed)
    return wording.count(page.status.registered, "document") + (f", {failed} not readable" if failed else "")


def _fingerprints(saved: str, wanted: str | None) -> str:
    if wanted is None or saved == wanted:
        return f'<code>{wording.fingerprint(saved)}</code> · <span class="ok">same</span>'
    return f'<code>{wording.fingerprint(saved)}</code> → <code class="bad">{wording.fingerprint(wanted)}</code>'


def _times(page: Page, history: list[Manifest]) -> None:
    newest, first = history[0], history[-1]
    load = session.load_of(page.notebook, page.status.verdict.snapshot or newest.snapshot)
    rows = [Bar(f"Build (snapshot {first.snapshot})", first.receipt.seconds, "blue")]
    if newest is not first:
        rows.append(Bar(f"Update (snapshot {newest.snapshot})", newest.receipt.seconds, "violet"))
    rows.append(Bar("Verdict", page.status.seconds, "green"))
    if load is not None:
        rows.append(Bar(f"Open (snapshot {page.status.verdict.snapshot})", load[1], "green"))
    with card("times"):
        opening = load[1] if load is not None else page.status.seconds
        verb = "Opening" if load is not None else "Checking"
        st.html(
            f"<b>{verb} it took {escaped(wording.duration(opening))}. "
            f"Building it took {escaped(wording.duration(first.receipt.seconds))}.</b>"
        )
        bars(rows)
        calls = wording.number(page.status.verdict.receipt.calls)
        kv(
            [
                ("Calls to open", f"<b>{calls}</b>"),
                ("On disk", escaped(wording.size(page.status.size_bytes))),
                ("Texts reused so far", wording.number(sum(one.receipt.saved_texts for one in history))),
                ("Texts embedded so far", wording.number(sum(one.receipt.texts for one in history))),
            ]
        )


main()

"""Every published snapshot, newest first, as one list of HTML: file names in it are untrusted, so no Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rag.changes import Change
from rag.manifest import Manifest
from rag.wording import changes
from ui import session, wording
from ui.untrusted import escaped
from ui.widgets import Row, badge_html, kv_html

SHOWN = 100
"""Snapshots and, within one, changes that are listed; more are counted."""


def timeline(history: Sequence[Manifest]) -> None:
    """Draw the history, the newest snapshot unfolded."""
    items = "".join(_item(one, unfolded=at == 0) for at, one in enumerate(history[:SHOWN]))
    st.html(f'<ol class="timeline" data-hook="timeline">{items}</ol>')
    if len(history) > SHOWN:
        st.html(f'<p class="small">and {wording.number(len(history) - SHOWN)} older</p>')


def _item(one: Manifest, *, unfolded: bool) -> str:
    look = wording.LOOKS[one.verdict]
    meta = f"{wording.moment(one.created, session.zone())} · {wording.receipt(one.receipt)}"
    return (
        f'<li class="{look.color}" data-snapshot="{one.snapshot}"><details{" open" if unfolded else ""}><summary>'
        f"{badge_html(one.verdict, f'snapshot {one.snapshot}')}<b>{escaped(_reason(one))}</b>"
        f'<span class="meta">{escaped(meta)}</span></summary>{kv_html(_rows(one))}</details></li>'
    )


def change_html(change: Change) -> str:
    """What became of the thing that changed: `a → b`, or only what is there now."""
    before, after = changes.sides(change)
    return " → ".join(escaped(side) for side in (before, after if after is not None else "none") if side is not None)


def _reason(one: Manifest) -> str:
    if not one.changes:
        return "nothing changed"
    first = changes.sentence(one.changes[0])
    more = len(one.changes) - 1
    return (first if len(first) <= 90 else first[:89] + "…") + (
        f" and {wording.count(more, 'more change')}" if more else ""
    )


def _rows(one: Manifest) -> list[Row]:
    rows = [(changes.name(change), change_html(change)) for change in one.changes[:SHOWN]]
    if len(one.changes) > SHOWN:
        rows.append(("", f"and {wording.number(len(one.changes) - SHOWN)} more"))
    failed = f", {wording.number(one.counts.failed)} not readable" if one.counts.failed else ""
    stages = " · ".join(f"{name} {wording.duration(seconds)}" for name, seconds in one.receipt.stages.items())
    return [
        *rows,
        (
            "Holds",
            f"{wording.count(one.counts.chunks, 'chunk')} of {wording.count(one.counts.sources, 'source')}{failed}, "
            f"{escaped(wording.size(one.size))}",
        ),
        ("Paid", escaped(f"{wording.receipt(one.receipt)} · {wording.count(one.receipt.calls, 'call')}")),
        *([("Stages", escaped(stages))] if stages else []),
        ("Recipe", f"<code>{wording.fingerprint(one.recipe_fp)}</code>"),
    ]

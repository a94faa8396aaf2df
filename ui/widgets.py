"""Small pieces that all pages draw with: badges, key-value tables, bars, page headers, cards, empty states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from rag.errors import RagbookError
from rag.manifest import VerdictName
from ui import wording
from ui.untrusted import escaped

Row = tuple[str, str]
"""A label and its value; the value is HTML, made by `escaped` or by ourselves."""


def header(title: str, facts: str, key: str = "head") -> DeltaGenerator:
    """The page's title and one line of facts on the left. Returns the row's right end, for actions."""
    row = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key=key)
    with row.container(width="content", gap=None):
        st.html(f'<h1 class="title">{escaped(title)}</h1><p class="facts">{escaped(facts)}</p>')
    return row.container(horizontal=True, width="content", gap="xsmall")


def badge_html(verdict: VerdictName, after: str = "") -> str:
    """A verdict's badge inside other HTML; `after` is our own wording."""
    look = wording.LOOKS[verdict]
    text = f"{_words(verdict)} {escaped(after)}".strip()
    return f'<span class="badge {look.color}" data-verdict="{verdict.value}">{text}</span>'


def badge(verdict: VerdictName, after: str = "") -> str:
    """A verdict's badge as Markdown, with its icon. Only for our own words."""
    look = wording.LOOKS[verdict]
    return f":{look.color}-badge[:material/{look.icon}: {f'{_words(verdict)} {after}'.strip()}]"


def _words(verdict: VerdictName) -> str:
    return verdict.value.replace("_", " ")


def kv_html(rows: Iterable[Row]) -> str:
    """A key-value table as HTML."""
    body = "".join(f'<tr><th scope="row">{escaped(label)}</th><td>{value}</td></tr>' for label, value in rows)
    return f'<table class="kv">{body}</table>'


def kv(rows: Iterable[Row]) -> None:
    """Draw a key-value table."""
    st.html(kv_html(rows))


@dataclass(frozen=True)
class Bar:
    """One bar: its label, its seconds, and its colour (`blue`, `violet` or `green`)."""

    label: str
    seconds: float
    color: str


def bars(rows: Sequence[Bar]) -> None:
    """Durations as bars on a logarithmic scale, each with its exact value beside it."""
    import math

    floor = 0.0005
    top = math.log10(max(max(row.seconds for row in rows), 0.1) / floor)
    lines = []
    for row in rows:
        share = max(2.0, 100 * math.log10(max(row.seconds, floor * 1.05) / floor) / top)
        lines.append(
            f'<div class="bar"><span class="what">{escaped(row.label)}</span>'
            f'<span class="track"><span class="fill {row.color}" style="width:{share * 0.82:.1f}%"></span>'
            f"<b>{escaped(wording.duration(row.seconds))}</b></span></div>"
        )
    st.html(f'<div class="bars">{"".join(lines)}<p class="scale">logarithmic scale</p></div>')


def card(key: str, gap: str = "small") -> DeltaGenerator:
    """A bordered card. The style sheet knows cards by their key."""
    return st.container(border=True, key=f"card_{key}", gap="xsmall" if gap == "xsmall" else "small")


def note(html: str, tone: str, key: str) -> DeltaGenerator:
    """One line with a coloured edge, and room for one action at its right end, which is returned.

    Args:
        html: what it says, already escaped.
        tone: `red`, `orange`, `blue`, `violet`, `green` or `gray`.
        key: stable key of the row.
    """
    row = st.container(
        border=True,
        horizontal=True,
        vertical_alignment="center",
        horizontal_alignment="distribute",
        key=f"note_{tone}_{key}",
        gap="small",
    )
    row.html(f'<p class="note">{html}</p>', width="stretch")
    return row.container(horizontal=True, width="content", gap="xsmall")


def error_card(error: RagbookError, key: str = "error") -> DeltaGenerator:
    """A failure as its own sentence, in a small red card; returns the room for a next step."""
    return note(f'<span role="alert">{escaped(str(error))}</span>', "red", key)


def empty(icon: str, title: str, sentence: str, key: str) -> DeltaGenerator:
    """An empty state: one icon, one title, one sentence. Returns the row for its one or two actions."""
    with st.container(border=True, key=f"card_{key}", horizontal_alignment="center", gap="small"):
        st.space("medium")
        st.markdown(f"# :material/{icon}:", width="content")
        st.html(f'<div class="empty"><h2>{escaped(title)}</h2><p>{escaped(sentence)}</p></div>', width="content")
        actions = st.container(horizontal=True, horizontal_alignment="center")
        st.space("medium")
    return actions

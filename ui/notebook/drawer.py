"""The drawer at the right: a whole passage in its context, with exactly the cited words marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from rag.citing.answer import Answer, Passage
from ui import session, wording
from ui.frame import boundary
from ui.untrusted import Range, escaped, marked

if TYPE_CHECKING:
    from rag import Notebook

AROUND = 500
"""Characters of the source shown before and after the passage."""


def place(passage: Passage) -> str:
    """Where a passage is, in words: `page 4 · §7.2`. Untrusted text, not yet escaped."""
    return " · ".join(part for part in (wording.pages(passage.page, passage.page_end), passage.heading) if part)


def cited_ranges(answer: Answer, passage: Passage) -> list[Range]:
    """The cited words as character ranges within `passage.text`, only those that are character by character there."""
    if passage.start is None:
        return []
    found = []
    for citation in answer.citations:
        same = citation.n == passage.n or citation.chunk_id == passage.chunk_id
        if same and citation.state != "not found" and citation.start is not None and citation.end is not None:
            start, end = citation.start - passage.start, citation.end - passage.start
            if start >= 0 and passage.text[start:end] == citation.quote:
                found.append((start, end))
    return found


@st.dialog("Source", position="right", width="medium", icon=":material/description:")
def source_drawer(notebook: Notebook, answer: Answer, passage: Passage) -> None:
    """Show `passage` in its source. The text comes from the snapshot that the answer was given on."""
    with boundary("drawer"):
        facts = [part for part in (place(passage), f"snapshot {answer.snapshot}", _scores(passage)) if part]
        st.html(
            f'<p class="psg-head"><span class="cite plain">{passage.n}</span> <b>{escaped(passage.source)}</b></p>'
            f'<p class="small">{escaped(" · ".join(facts))}</p>'
        )
        before, after = _context(notebook, answer, passage)
        ranges = cited_ranges(answer, passage)
        dots = '<span class="gap">…</span> ' if (passage.start or 0) > AROUND else ""
        st.html(
            f'<blockquote class="psg whole" data-hook="source">{dots}'
            f'<span class="around">{marked(before, ())}</span>{marked(passage.text, ranges)}'
            f'<span class="around">{marked(after, ())}</span></blockquote>'
        )
        words = wording.count(len(ranges), "citation")
        checked = f"{words} of the answer found here, character by character." if ranges else "Not cited in the answer."
        also = f" The same text is also in {', '.join(passage.also_in)}." if passage.also_in else ""
        st.html(f'<p class="small">{escaped(checked + also)}</p>')


def _context(notebook: Notebook, answer: Answer, passage: Passage) -> tuple[str, str]:
    """The text right before and after the passage; empty where the source has none, or cannot be shown any more."""
    if passage.start is None or passage.end is None:
        return "", ""
    first = max(0, passage.start - AROUND)
    opened = session.opened(notebook, answer.snapshot)
    text = opened.source_text(passage.source_id, first, passage.end + AROUND)
    at = text.find(passage.text)  # white space between chunks is not kept, so counting characters would not do
    if at < 0:
        return "", ""
    before, after = text[:at], text[at + len(passage.text) :]
    if first:  # begin and end with a whole word
        before = before[before.find(" ") + 1 :]
    if len(after) >= AROUND:
        after = f"{after[: after.rfind(' ')]} …"
    return before, after


def _scores(passage: Passage) -> str:
    return f"similarity {passage.dense:.2f}" if passage.dense is not None else "found by its words"

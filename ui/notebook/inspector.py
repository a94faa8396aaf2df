"""The drawer "Why these passages?": ranks, scores, what was left out, tokens and time of the search behind a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from rag.asking.followups import note_of
from ui import session, wording
from ui.frame import boundary
from ui.notebook.drawer import place
from ui.untrusted import escaped, visible
from ui.widgets import Bar, bars, kv

if TYPE_CHECKING:
    from rag import Answer, Cell, Notebook
    from rag.asking.explaining import Explanation

SHOWN = 50
"""Candidates in the table; there can be two hundred."""


def inspect_button(notebook: Notebook, cell: Cell) -> None:
    """The button that opens the drawer. Nothing is searched before it is pressed."""
    if st.button("Why these passages?", key=f"why_{cell.id}", type="tertiary", icon=":material/manage_search:"):
        inspector(notebook, cell.answer)


@st.dialog("Why these passages?", position="right", width="large", icon=":material/manage_search:")
def inspector(notebook: Notebook, answer: Answer) -> None:
    """Search again on the snapshot of the answer, and show how its passages came about. Asks no language model for an
    answer; one that re-ranks only for what it has not ordered before in this process."""
    with boundary("inspector"):
        from rag.asking.explaining import explain, sentences_of

        wanted, searched = len(_found(answer)) or 8, answer.searched or answer.question
        explained = explain(session.opened(notebook, answer.snapshot), searched, wanted, answer.only)
        facts = [f"snapshot {explained.snapshot}", explained.space, wording.money(explained.receipt.cost_usd)]
        st.html(f'<p class="psg-head"><b>{escaped(answer.question)}</b></p>')
        st.html(f'<p class="small">{escaped(" · ".join(facts))}</p>')
        lines = [*sentences_of(explained), *explained.notes]
        if answer.searched:
            lines.insert(0, note_of(answer.searched))
        if not _same(answer, explained):
            lines.append(
                "These are not the passages kept with the answer: how passages are searched has changed since."
            )
        st.html("".join(f'<p class="small" data-hook="why">{escaped(line)}</p>' for line in lines))
        if explained.candidates:
            _table(explained)
        if explained.parts:
            st.html(f"<b>Tokens sent to {escaped(explained.model)}</b>")
            total = sum(tokens for _, tokens in explained.parts)
            rows = [(part.capitalize(), wording.number(tokens)) for part, tokens in explained.parts]
            kv([*rows, ("Together", f"<b>{wording.number(total)}</b> of {wording.number(explained.window or 0)}")])
        st.html("<b>Time of each stage</b>")
        bars([Bar(name.capitalize(), seconds, "blue") for name, seconds in explained.stages.items()])


def _same(answer: Answer, explained: Explanation) -> bool:
    kept = _found(answer)
    return not kept or kept == {one.passage.chunk_id for one in explained.candidates[: len(kept)]}


def _found(answer: Answer) -> set[str]:
    """Chunks that were found for an answer, also those that are joined to others in it."""
    return {chunk_id for one in answer.passages for chunk_id in (one.chunk_id, *one.joined)}


def _table(explained: Explanation) -> None:
    shown = explained.candidates[:SHOWN]
    columns = st.column_config
    moved = any(one.passage.n != one.fused_rank for one in explained.candidates)
    st.dataframe(
        {
            "Rank": [one.passage.n for one in shown],
            **({"Before": [one.fused_rank for one in shown]} if moved else {}),
            "Source": [visible(one.passage.source) for one in shown],
            "Place": [visible(place(one.passage)) for one in shown],
            "Became": [one.fate for one in shown],
            "Fused": [one.passage.score for one in shown],
            "By meaning": [one.dense_rank for one in shown],
            "Cosine": [one.passage.dense for one in shown],
            "By words": [one.lexical_rank for one in shown],
            "BM25": [one.passage.lexical for one in shown],
            "Text": [visible(" ".join(one.passage.text.split())[:200]) for one in shown],
        },
        hide_index=True,
        key="why_rows",
        height="content" if len(shown) <= 10 else 400,
        placeholder="",
        alt="Passages found, in order, with the ranks and scores of both searches and what became of each",
        column_config={
            "Rank": columns.NumberColumn(width=50),
            "Fused": columns.NumberColumn(format="%.4f", width=70),
            "Cosine": columns.NumberColumn(format="%.3f", width=70),
            "BM25": columns.NumberColumn(format="%.2f", width=70),
        },
    )
    if len(explained.candidates) > SHOWN:
        st.html(f'<p class="small">The first {SHOWN} of {wording.number(len(explained.candidates))}.</p>')

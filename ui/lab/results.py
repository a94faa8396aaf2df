"""What a trial came to: the measures of each side, the differences, and a row for each question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from rag.evaluation.comparison import Difference
from rag.evaluation.report import differences_of, measured, notes_of, trial_report
from rag.evaluation.totals import Totals, total
from rag.evaluation.trial import Row, Trial
from ui import wording
from ui.untrusted import escaped, visible
from ui.widgets import card


def results(trial: Trial) -> None:
    """Draw the results of a trial that has ended with at least one row."""
    sides = [trial.side(at) for at in range(len(trial.sides))]
    with card("results"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.html('<h2 class="question">Results</h2>', width="content")
            st.download_button(
                "Save the report",
                lambda: _json(trial),
                file_name="report.json",
                mime="application/json",
                icon=":material/download:",
                key="report_save",
                type="tertiary",
                on_click="ignore",
            )
        facts = [trial.questions.name, wording.count(len(sides[0]), "question"), f"{trial.k} passages each"]
        st.html(f'<p class="small">{escaped(" · ".join(facts))}</p>')
        st.html(_table(trial, [total(rows) for rows in sides]))
        _differences(differences_of(trial))
        for line in notes_of(trial):
            st.html(f'<p class="small">{escaped(line)}</p>')
    st.html('<h2 class="question">Question by question</h2>')
    _rows(trial, sides)


def _table(trial: Trial, totals: Sequence[Totals]) -> str:
    columns = [dict(measured(one, trial.k)) for one in totals]
    names = dict.fromkeys(name for column in columns for name in column)
    head = "".join(f'<th scope="col">{escaped(side.label)}</th>' for side in trial.sides)
    body = "".join(
        f'<tr><th scope="row">{escaped(name)}</th>'
        + "".join(f"<td>{escaped(column.get(name, ''))}</td>" for column in columns)
        + "</tr>"
        for name in names
    )
    return f'<table class="kv figures"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


def _differences(found: Sequence[Difference]) -> None:
    if not found:
        return
    lines = "".join(
        f'<li class="{"done" if one.larger_than_chance else ""}" data-measure="{escaped(one.measure)}">'
        f"{escaped(one.sentence)}</li>"
        for one in found
    )
    st.html(f'<ul class="lines">{lines}</ul>')


def _rows(trial: Trial, sides: Sequence[Sequence[Row]]) -> None:
    table: dict[str, list[Any]] = {"Question": [visible(row.question.text) for row in sides[0]]}
    for side, rows in zip(trial.sides, sides, strict=True):
        # Two columns of one name would be one: with two sides each says whose it is.
        of = f", {side.label}" if len(sides) > 1 else ""
        table[f"Answer{of}"] = [row.kind for row in rows]
        table[f"Rank{of}"] = [row.rank for row in rows]
        for name, key in (("Recall", "recall"), ("nDCG", "ndcg"), ("Contains", "contains"), ("Verified", "verified")):
            if any(key in row.scores for row in rows):
                table[f"{name}{of}"] = [row.scores.get(key) for row in rows]
        table[f"Seconds{of}"] = [row.receipt.seconds for row in rows]
        if any(row.receipt.cost_usd != 0 for row in rows):
            table[f"Cost{of}"] = [wording.money(row.receipt.cost_usd) for row in rows]
    st.dataframe(
        table,
        hide_index=True,
        key="lab_rows",
        row_height=38,
        height="content" if len(sides[0]) <= 12 else 500,
        placeholder="",
        alt="Each question with what became of it",
        column_config={"Question": st.column_config.TextColumn(width="large", pinned=True)},
    )


def _json(trial: Trial) -> str:
    report = {name: value for name, value in trial_report(trial).items() if name != "_lines"}
    return json.dumps(report, ensure_ascii=True, indent=1)

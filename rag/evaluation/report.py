"""What a trial found, as a report: figures, rows, differences and notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rag.evaluation.comparison import Difference, compare
from rag.evaluation.totals import Totals, total
from rag.evaluation.trial import MEASURES, Row, Trial
from rag.manifest import Receipt
from rag.text.counting import count

Report = dict[str, Any]


def trial_report(trial: Trial) -> Report:
    """What a trial has come to so far."""
    sides = [trial.side(at) for at in range(len(trial.sides))]
    totals = [total(rows) for rows in sides]
    done = len(sides[0])
    differences = differences_of(trial)
    notes = notes_of(trial)
    sentence = (
        f"{count(done, 'question')} of {trial.total:,} asked." if trial.stopped else f"{count(done, 'question')}."
    )
    return {
        "snapshot": trial.sides[0].opened.snapshot,
        "set": trial.questions.name,
        "questions": trial.total,
        "asked": done,
        "stopped": trial.stopped,
        "k": trial.k,
        "sides": [
            {
                "label": side.label,
                "notebook": side.opened.place.slug,
                "snapshot": side.opened.snapshot,
                "totals": asdict(summed),
            }
            for side, summed in zip(trial.sides, totals, strict=True)
        ],
        "rows": [
            {"id": rows[0].question.id, "question": rows[0].question.text, "sides": [row_report(row) for row in rows]}
            for rows in zip(*sides, strict=True)
        ],
        "differences": [asdict(one) | {"change": one.change} for one in differences],
        "notes": notes,
        "receipt": asdict(_receipt(totals)),
        "sentence": sentence,
        "_lines": [*_lines(trial, totals, sentence), *(one.sentence for one in differences), *notes],
    }


def row_report(row: Row) -> Report:
    """One side of one question."""
    return {
        "kind": row.kind,
        "answer": row.text,
        "sources": list(row.ranking),
        "rank": row.rank,
        "citations": dict(row.citations),
        "scores": dict(row.scores),
        "calls": row.receipt.calls,
        "tokens": row.receipt.tokens,
        "cost_usd": row.receipt.cost_usd,
        "seconds": row.receipt.seconds,
    }


def differences_of(trial: Trial) -> list[Difference]:
    """How the two sides differ so far; nothing with one side."""
    if len(trial.sides) < 2:
        return []
    labels = (trial.sides[0].label, trial.sides[1].label)
    rows = list(trial.rows)
    return compare([pair[0] for pair in rows], [pair[1] for pair in rows], labels, trial.k)


def notes_of(trial: Trial) -> list[str]:
    """What a reader of the figures should know, in sentences."""
    notes = []
    for label, missing in trial.unknown_sources().items():
        named = ", ".join(missing[:5]) + (f" and {len(missing) - 5:,} more" if len(missing) > 5 else "")
        verb = "is" if len(missing) == 1 else "are"
        notes.append(f"{count(len(missing), 'expected source')} {verb} not in {label}, and cannot be found: {named}.")
    silent = sum(one.answerable is None for one in trial.questions.questions)
    if silent:
        notes.append(f"{count(silent, 'question')} without expected sources or answers: only cost and time count.")
    for at, side in enumerate(trial.sides):
        notes += side.opened.problems
        rows = trial.side(at)
        if failed := [row for row in rows if row.kind == "failed"]:
            notes.append(f"{count(len(failed), 'answer')} of {side.label} failed. The first: {failed[0].text}")
        notes += dict.fromkeys(note for row in rows for note in row.notes if note.startswith("Searched by words only"))
    return list(dict.fromkeys(notes))


def measured(totals: Totals, k: int) -> Iterator[tuple[str, str]]:
    """What is shown of a side: names and values, in order. Measures that nothing is expected of are left out."""
    for key, name in MEASURES.items():
        mean = totals.means[key]
        if mean.value is not None:
            yield name.format(k=k), f"{mean.value:.3f} ({count(mean.questions, 'question')})"
    if totals.citations:
        yield "Citations", ", ".join(f"{number:,} {state}" for state, number in sorted(totals.citations.items()))
    if totals.questions != totals.kinds.get("searched", 0):
        wrongly = f", {totals.declined_wrongly:,} of them wrongly" if totals.declined_wrongly else ""
        yield "Declined", f"{totals.declined:,}{wrongly}"
    yield "Tokens", f"{totals.tokens:,}"
    cost = totals.cost_usd
    yield "Cost", "price not known" if cost is None else f"${cost:,.6f}" if cost else "$0"
    yield "Time per question", f"{totals.seconds_median:.3f} s (median)"


def _lines(trial: Trial, totals: list[Totals], sentence: str) -> list[str]:
    columns = [dict(measured(one, trial.k)) for one in totals]
    names = list(dict.fromkeys(name for column in columns for name in column))
    table = [["", *(side.label for side in trial.sides)]]
    table += [[name, *(column.get(name, "") for column in columns)] for name in names]
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    return [
        sentence,
        *("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table),
    ]


def _receipt(totals: list[Totals]) -> Receipt:
    costs = [one.cost_usd for one in totals]
    return Receipt(
        calls=sum(one.calls for one in totals),
        texts=sum(one.texts for one in totals),
        tokens=sum(one.tokens for one in totals),
        cost_usd=None if None in costs else round(sum(cost for cost in costs if cost is not None), 8),
        seconds=round(sum(one.seconds for one in totals), 4),
    )

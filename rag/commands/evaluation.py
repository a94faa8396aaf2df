"""The command `eval`, as a report: plain values, and `_lines` for a person.

Shape: `questions` (in the set), `asked`, `stopped`, `k`, `sides` (the measured one first, each with `label`,
`notebook`, `snapshot` and `totals`), `rows` (each with `id`, `question`, and `sides` in the same order), `differences`,
`notes`, `receipt` and `sentence`. With `--from-cells`: `file`, `questions`, `left_out`.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import ConfigError, ModelError, NotFound, SpaceRefused, StoreError
from rag.evaluation.comparison import Difference, compare
from rag.evaluation.question_set import questions_of, read_questions, save_questions
from rag.evaluation.totals import Totals, total
from rag.evaluation.trial import MEASURES, OnAsked, Row, Side, Trial
from rag.manifest import Receipt, VerdictName
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.notebook import Notebook

Report = dict[str, Any]
OpenNotebook = Callable[[str], "Notebook"]
OpenNewest = Callable[["Notebook"], "Opened"]
"""Opens the newest intact snapshot."""


def add_arguments(parser: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """The arguments of `eval`; `positive` reads the number of passages."""
    parser.add_argument("file", type=Path, metavar="QUESTIONS.jsonl", help="one question a line: docs/evaluation.md")
    parser.add_argument("-k", type=positive, default=8, help="passages; default 8")
    parser.add_argument("--search-only", action="store_true", help="measure the search; write no answers")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--against", type=int, metavar="SNAPSHOT", help="beside another snapshot of the notebook")
    other.add_argument("--against-notebook", metavar="NAME", help="beside the newest snapshot of another notebook")
    other.add_argument("--from-cells", action="store_true", help="write the notebook's cells to the file instead")


def eval_report(
    notebook: Notebook,
    options: argparse.Namespace,
    open_notebook: OpenNotebook,
    open_newest: OpenNewest,
    on_asked: OnAsked | None,
) -> Report:
    """`eval`. Ctrl-C ends it after the question under way; a second one at once.

    Raises:
        QuestionSetInvalid, NotFound, Damaged: there is nothing to ask, or nothing to ask it of.
        SpaceRefused, ModelError, StoreError: the first search failed; at a later one the rows until then are reported.
    """
    if options.from_cells:
        return _from_cells(notebook, options.file)
    questions = read_questions(options.file)
    side, against = _sides(notebook, options, open_notebook, open_newest)
    trial = Trial(questions, side, against, k=options.k, answers=not options.search_only)
    failure = ""
    with _stoppable() as wanted:
        try:
            trial.run(on_asked=on_asked, cancelled=wanted.is_set)
        except (SpaceRefused, ModelError, StoreError) as error:
            if not trial.rows:
                raise
            failure = str(error)
    report = trial_report(trial)
    if trial.stopped:
        report["verdict"] = VerdictName.FAILED if failure else VerdictName.CANCELLED
        report["sentence"] = f"{failure or 'Stopped.'} {report['sentence']}"
    else:
        report["verdict"] = notebook.status().verdict.name
    return report


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
                "notebook": side.opened.notebook.slug,
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


def _sides(
    notebook: Notebook, options: argparse.Namespace, open_notebook: OpenNotebook, open_newest: OpenNewest
) -> tuple[Side, Side | None]:
    from rag.asking.opening import open_snapshot

    mine = open_newest(notebook)
    if options.against is not None:
        other = open_snapshot(notebook, options.against)
        return Side(mine, f"snapshot {mine.snapshot}"), Side(other, f"snapshot {other.snapshot}")
    if options.against_notebook is not None:
        book = open_notebook(options.against_notebook)
        if book.slug == notebook.slug:
            raise ConfigError(f"--against-notebook names {book.slug}, which is measured. Name another one.")
        try:
            other = open_newest(book)
        except NotFound as error:
            raise NotFound(f"The notebook {book.slug} has no snapshot to compare with. {error}") from error
        return Side(mine, f"notebook {notebook.slug}"), Side(other, f"notebook {book.slug}")
    return Side(mine, f"snapshot {mine.snapshot}"), None


def _from_cells(notebook: Notebook, file: Path) -> Report:
    cells = notebook.cells()
    questions = questions_of(cells)
    if not questions:
        raise NotFound("No cell of this notebook has a verified citation. Ask first, then save the cells as a set.")
    save_questions(file, questions)
    sentence = f"{count(len(questions), 'question')} written to {file}."
    if left_out := len(cells) - len(questions):
        sentence += f" {count(left_out, 'cell')} left out: without a verified citation, or asked again later."
    return {
        "verdict": notebook.status().verdict.name,
        "file": str(file),
        "questions": len(questions),
        "left_out": left_out,
        "sentence": sentence,
        "_lines": [sentence],
    }


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that what a model is paid for is still written down; a second one interrupts."""
    wanted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wanted
        return
    before = signal.getsignal(signal.SIGINT)
    if before is None:  # not set by Python, and so not to be put back by it
        before = signal.default_int_handler

    def stop(_number: int, _frame: Any) -> None:
        wanted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield wanted
    finally:
        signal.signal(signal.SIGINT, before)

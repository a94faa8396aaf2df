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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.commands.reports import Report
from rag.errors import ConfigError, ModelError, NotFound, SpaceRefused, StoreError
from rag.evaluation.question_set import questions_of, read_questions, save_questions
from rag.evaluation.report import trial_report
from rag.evaluation.trial import OnAsked, Side, Trial
from rag.manifest import VerdictName
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.notebook import Notebook

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


def _sides(
    notebook: Notebook, options: argparse.Namespace, open_notebook: OpenNotebook, open_newest: OpenNewest
) -> tuple[Side, Side | None]:
    from rag.notebook import open_snapshot

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

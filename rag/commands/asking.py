"""search and ask."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rag.citing.answer import Answer, Found
from rag.commands.reports import Report, citation_report, cited_lines, explanation_report, found_report, nothing_to_open
from rag.errors import Damaged, RagbookError
from rag.manifest import VerdictName
from rag.notebook import Notebook
from rag.sources.restriction import Restriction

if TYPE_CHECKING:
    from rag.asking.opening import Opened


def add_filters(search: argparse.ArgumentParser) -> None:
    search.add_argument(
        "--source", action="append", default=[], metavar="NAME", help="only in this source, or in those like '*.md'"
    )
    search.add_argument(
        "--type", action="append", default=[], metavar="TYPE", help="only in sources of this kind: pdf, text/html, text"
    )
    search.add_argument("--tag", action="append", default=[], metavar="TAG", help="only in sources with this tag")
    search.add_argument("--pages", type=_pages, metavar="N[-M]", help="only on these pages")
    search.add_argument("--since", type=_date, metavar="DATE", help="only in sources added since, in UTC")


def _pages(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    numbers = [first, last or first]
    if not all(one.isascii() and one.isdigit() and len(one) < 8 for one in numbers) or int(first) > int(numbers[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no page like 7 and no range like 3-10")
    return int(first), int(numbers[1])


def _date(text: str) -> str:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2026-01-31") from None
    return (given.astimezone(UTC) if given.tzinfo else given).replace(tzinfo=None).isoformat()


def search_report(notebook: Notebook, options: argparse.Namespace) -> Report:
    status = notebook.status()
    nothing = nothing_to_open(status)
    if nothing is not None:
        return nothing | {"hits": []}
    restriction = _restriction(options)
    opened = opened_of(notebook)
    if options.explain:
        from rag.asking.explaining import explain

        explained = explain(opened, options.text, options.k, restriction)
        explained = replace(explained, notes=(*explained.notes, *opened.problems))
        return explanation_report(explained, notebook.status())
    found = opened.search(options.text, options.k, restriction)
    return found_report(replace(found, notes=(*found.notes, *opened.problems)), notebook.status())


def _restriction(options: argparse.Namespace) -> Restriction | None:
    only = Restriction(
        tuple(options.source), tuple(options.type), options.since or "", options.pages, tuple(options.tag)
    )
    return None if only == Restriction() else only


def opened_of(notebook: Notebook) -> Opened:
    """The newest snapshot whose files are intact, as far as is looked before a search."""
    from rag.notebook import open_snapshot

    while True:
        opened = open_snapshot(notebook)
        try:
            opened.check()
        except Damaged:  # remembered: the next opening passes it over, or says that nothing is left
            continue
        return opened


def ask_report(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.asking.answering import ask

    status = notebook.status()
    nothing = nothing_to_open(status)
    if nothing is not None:
        return nothing | {"answer": status.verdict.sentence, "citations": []}
    answer: Answer | None = None
    opened = opened_of(notebook)
    for piece in ask(opened, options.text, options.k, only=_restriction(options)):
        if isinstance(piece, Answer):
            answer = piece
    if answer is None:
        raise RagbookError("No answer came back. Try again.")
    notes = (*answer.notes, *opened.problems)
    found = Found(answer.passages, answer.snapshot, answer.verdict, answer.receipt, notes)
    report = found_report(found, notebook.status())
    report |= {
        "answer": answer.text,
        "kind": answer.kind,
        "searched": answer.searched or answer.question,
        "model": answer.model,
        "recipe": answer.recipe_fp,
        "citations": [citation_report(one) for one in answer.citations],
        "_lines": [answer.text, *cited_lines(answer), *notes],
    }
    if answer.kind == "failed":
        report |= {"verdict": VerdictName.FAILED, "sentence": answer.text}
    return report

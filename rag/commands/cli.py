"""`python -m rag COMMAND …`: the notebook without a browser.

Exit code 0: done. 1: failed, with one sentence on stderr. 2: wrong usage or settings. With `--json`, stdout is exactly
one JSON object, also when the command fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from rag.citing.answer import Answer, Found
from rag.commands import evaluation, tags, upkeep
from rag.commands.reports import (
    Report,
    citation_report,
    cited_lines,
    explanation_report,
    found_report,
    history_line,
    manifest_report,
    nothing_to_open,
    outcome_report,
    receipt_report,
)
from rag.config import Config, check_slug, load_config
from rag.errors import (
    Busy,
    Cancelled,
    ConfigError,
    Conflict,
    Damaged,
    NewerFormat,
    RagbookError,
    SpaceRefused,
    StoreUnavailable,
)
from rag.home.verdicts import Status
from rag.manifest import Manifest, VerdictName
from rag.notebook import Notebook
from rag.outcome import ChunkCounts, SourceCounts
from rag.progress import Event, Stage
from rag.sources.folders import collect
from rag.sources.incoming import Incoming
from rag.sources.restriction import Restriction
from rag.storage.failures import translate
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.asking.opening import Opened

_VERDICT_OF: tuple[tuple[type[RagbookError], VerdictName], ...] = (
    (SpaceRefused, VerdictName.REFUSED),
    (Busy, VerdictName.BUSY),
    (Cancelled, VerdictName.CANCELLED),
    (Conflict, VerdictName.CONFLICT),
    (NewerFormat, VerdictName.NEWER_FORMAT),
    (Damaged, VerdictName.DAMAGED),
    (StoreUnavailable, VerdictName.UNAVAILABLE),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    report: Report = {}
    options = argparse.Namespace(json="--json" in given)
    try:
        options = _parser().parse_args(given)
        notebook = _notebook(options)
        report["notebook"] = notebook.slug
        report |= options.run(notebook, options)
        code = 1 if report.get("verdict") in (VerdictName.FAILED, VerdictName.CANCELLED) else 0
        sentence = report.get("sentence", "")
    except ConfigError as error:
        code, sentence = 2, str(error)
        report |= {"verdict": VerdictName.FAILED, "error": sentence}
    except RagbookError as error:
        code, sentence = 1, str(error)
        verdict = next((name for kind, name in _VERDICT_OF if isinstance(error, kind)), VerdictName.FAILED)
        report |= {"verdict": verdict, "error": sentence}
    except OSError as error:  # of the system itself, where no module of ours knows more
        code, sentence = 1, str(translate(error, error.filename or "The home"))
        report |= {"verdict": VerdictName.UNAVAILABLE, "error": sentence}
    except KeyboardInterrupt:
        code, sentence = 1, "Stopped. What was paid for is kept."
        report |= {"verdict": VerdictName.CANCELLED, "error": sentence}
    lines = report.pop("_lines", [])
    try:
        if options.json:
            print(_as_json(report))
        elif code == 0 or "findings" in report or "rows" in report:  # worth reading when they are bad, or not all
            print("\n".join(_printable(line, sys.stdout) for line in lines))
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; the interpreter must not try again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if code:
        print(_printable(sentence), file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """Wrong usage is a ConfigError: one sentence, and an object with `--json`."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:].rstrip('.')}. See `{self.prog} --help`.")


def _parser() -> argparse.ArgumentParser:
    parent = _Parser(add_help=False)
    parent.add_argument("--home", help="where everything is kept (RAGBOOK_HOME)")
    parent.add_argument("--workspace", help="workspace inside the home (RAGBOOK_WORKSPACE)")
    parent.add_argument("--notebook", help="notebook inside the workspace; default main")
    parent.add_argument("--json", action="store_true", help="print one JSON object")
    parser = _Parser(prog="python -m rag", description=(__doc__ or "").split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Notebook, argparse.Namespace], Report], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[parent], help=text, description=text)
        added.set_defaults(run=run)
        return added

    add = command("add", _add, "add files or folders, and build")
    add.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    add.add_argument("--dry-run", action="store_true", help="say what would be paid for; keep nothing, call nothing")
    add.add_argument("--tag", action="append", default=[], metavar="TAG", help="give the files this tag")
    command("status", _status, "say what opening finds, and why; calls no model")
    command("sources", _sources, "list the sources")
    remove = command("remove", _remove, "take sources out of the next snapshot")
    remove.add_argument("names", nargs="+", metavar="NAME")
    tags.register(command)
    for name, run, text in (
        ("search", _search, "find passages"),
        ("ask", _ask, "answer a question with citations"),
    ):
        asking = command(name, run, text)
        asking.add_argument("text", metavar="TEXT")
        asking.add_argument("-k", type=_positive, default=8, help="passages; default 8")
        _add_filters(asking)
        if name == "search":
            asking.add_argument(
                "--explain", action="store_true", help="say why: ranks, scores, what was left out, time"
            )
    evaluation.add_arguments(command("eval", _eval, "measure a set of questions, or two sides beside"), _positive)
    command("history", _history, "list the snapshots, newest first")
    spaces = command("spaces", _spaces, "list the embedding spaces, or delete one")
    spaces.add_argument("--delete", metavar="FINGERPRINT", help="delete a space with its cached vectors")
    spaces.add_argument("--yes", action="store_true", help="with --delete: do it; without, say what it would cost")
    upkeep.register(command)
    export = command("export", _export, "write the newest snapshot with its originals to one file")
    export.add_argument("file", type=Path, metavar="FILE.zip")
    export.add_argument("--clean", action="store_true", help="leave out what was changed or removed before")
    export.add_argument("--without-cells", action="store_true", help="leave out questions and answers")
    importing = command("import", _import, "make a notebook of an exported file, named as it says or by --notebook")
    importing.add_argument("file", type=Path, metavar="FILE.zip")
    adopting = command("import-llamaindex", _import_llamaindex, "adopt an index that llama-index's persist() wrote")
    adopting.add_argument("folder", type=Path, metavar="DIR")
    writing = command("export-llamaindex", _export_llamaindex, "write the newest snapshot for stock llama-index")
    writing.add_argument("folder", type=Path, metavar="DIR")
    return parser


def _add_filters(search: argparse.ArgumentParser) -> None:
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


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 200):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 200")
    return int(text)


def _notebook(options: argparse.Namespace) -> Notebook:
    slug = "main" if options.notebook is None else options.notebook
    check_slug("--notebook", slug)

    if options.home is not None and not options.home.strip():
        raise ConfigError("--home is empty. Give a folder.")

    def settings(saved: Mapping[str, str] | None = None) -> Config:
        config = load_config(saved=saved)
        if options.workspace is not None:
            check_slug("--workspace", options.workspace)
            config = replace(config, workspace=options.workspace)
        return config if options.home is None else replace(config, home=options.home)

    return Notebook(settings(), slug, reload=settings)


# ---------------------------------------------------------------------- commands


def _add(notebook: Notebook, options: argparse.Namespace) -> Report:
    incoming, skipped = collect(options.paths)
    if options.dry_run:
        return _estimate(notebook, incoming, skipped)
    telling = _Telling(options)
    incoming = [replace(one, tags=tuple(options.tag)) for one in incoming]
    outcome = notebook.add(incoming, refused=skipped, on_event=telling.event, on_wait=telling.sentence)
    return outcome_report(outcome)


def _estimate(notebook: Notebook, incoming: Sequence[Incoming], skipped: Sequence[tuple[str, str]]) -> Report:
    found = notebook.estimate(incoming)
    failures = [*skipped, *found.failures]
    lines = [found.sentence, *(f"  cannot be added: {name}: {reason}" for name, reason in failures)]
    return {
        "verdict": notebook.status().verdict.name,
        "sources": asdict(found.sources),
        "chunks": asdict(ChunkCounts(found.chunks, found.texts, found.reused)),
        "plan": {
            "texts": found.texts,
            "canary_texts": found.canary_texts,
            "tokens": found.tokens,
            "cost_usd": found.cost_usd,
        },
        "failures": [{"name": name, "reason": reason} for name, reason in failures],
        "sentence": found.sentence,
        "_lines": lines,
    }


def _remove(notebook: Notebook, options: argparse.Namespace) -> Report:
    return outcome_report(notebook.remove(options.names, on_wait=_Telling(options).sentence))


def _status(notebook: Notebook, _options: argparse.Namespace) -> Report:
    status = notebook.status(hashing=True)  # a process of its own, so no opening has told what looking does not see
    verdict = status.verdict
    counts = status.counts
    chunks = counts.chunks if counts else 0
    report: Report = {
        "verdict": verdict.name,
        "snapshot": verdict.snapshot,
        "space": status.space_fp,
        "recipe": status.recipe_fp,
        "changes": [asdict(change) for change in verdict.changes],
        "sources": asdict(_status_counts(status)),
        "chunks": asdict(ChunkCounts(chunks, 0, chunks)),
        "receipt": receipt_report(verdict.receipt, status.seconds),
        "failures": [{"name": name, "reason": reason} for name, reason in status.failed],
        "where": verdict.where,
        "size_bytes": status.size_bytes,
        "sentence": verdict.sentence,
        "next_step": verdict.next_step,
    }
    report["_lines"] = [f"{verdict.name}: {verdict.sentence} {verdict.next_step}".rstrip()]
    report["_lines"] += [f"  {change}" for change in verdict.changes]
    return report


def _status_counts(status: Status) -> SourceCounts:
    counts = status.counts
    if counts is None:
        return SourceCounts(total=0, added=status.registered)
    renamed = sum(1 for change in status.verdict.changes if change.what == "renamed" and change.before)
    pending = [change.after for change in status.verdict.changes if change.what != "renamed" or not change.before]
    if status.verdict.name is not VerdictName.STALE:
        return SourceCounts(total=counts.sources, unchanged=counts.sources, failed=counts.failed)
    changed, removed = pending.count("changed"), pending.count("removed")
    return SourceCounts(
        total=counts.sources,
        added=pending.count("added"),
        changed=changed,
        unchanged=max(0, counts.sources - changed - removed - renamed),
        renamed=renamed,
        removed=removed,
        failed=counts.failed,
    )


def _sources(notebook: Notebook, _options: argparse.Namespace) -> Report:
    rows = notebook.sources()
    lines = [f"{row.name}: {row.state}, {count(row.chunks, 'chunk')}, {row.why}" for row in rows]
    return {
        "verdict": notebook.status().verdict.name,
        "sources": [asdict(row) for row in rows],
        "_lines": lines or ["No sources yet."],
    }


def _search(notebook: Notebook, options: argparse.Namespace) -> Report:
    status = notebook.status()
    nothing = nothing_to_open(status)
    if nothing is not None:
        return nothing | {"hits": []}
    restriction = _restriction(options)
    opened = _opened(notebook)
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


def _opened(notebook: Notebook) -> Opened:
    """The newest snapshot whose files are intact, as far as is looked before a search."""
    from rag.asking.opening import open_snapshot

    while True:
        opened = open_snapshot(notebook)
        try:
            opened.check()
        except Damaged:  # remembered: the next opening passes it over, or says that nothing is left
            continue
        return opened


def _ask(notebook: Notebook, options: argparse.Namespace) -> Report:
    status = notebook.status()
    nothing = nothing_to_open(status)
    if nothing is not None:
        return nothing | {"answer": status.verdict.sentence, "citations": []}
    answer: Answer | None = None
    opened = _opened(notebook)
    for piece in opened.ask(options.text, options.k, only=_restriction(options)):
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


def _eval(notebook: Notebook, options: argparse.Namespace) -> Report:
    telling = _Telling(options)

    def opened(slug: str) -> Notebook:
        return _notebook(argparse.Namespace(**{**vars(options), "notebook": slug}))

    return evaluation.eval_report(notebook, options, opened, _opened, telling.asked)


def _history(notebook: Notebook, _options: argparse.Namespace) -> Report:
    every = list(notebook.place.snapshots.newest())
    return {
        "verdict": notebook.status().verdict.name,
        "history": [manifest_report(one) for one in every if isinstance(one, Manifest)],
        "damaged": [str(one) for one in every if isinstance(one, Damaged)],
        "_lines": [history_line(one) if isinstance(one, Manifest) else f"   {one}" for one in every]
        or ["No snapshots yet."],
    }


def _spaces(notebook: Notebook, options: argparse.Namespace) -> Report:
    if options.delete is not None:
        return upkeep.delete_space(notebook, options.delete, sure=options.yes)
    spaces = notebook.spaces()
    lines = [f"{one['model']} ({one['provider']}), {count(one['vectors'], 'vector')}" for one in spaces]
    return {
        "verdict": notebook.status().verdict.name,
        "spaces": spaces,
        "_lines": lines or ["No embedding spaces yet."],
    }


def _export(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.commands.moving import export_report

    return export_report(notebook, options.file, clean=options.clean, cells=not options.without_cells)


def _import(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.commands.moving import import_report

    def opened(slug: str) -> Notebook:
        return _notebook(argparse.Namespace(**{**vars(options), "notebook": slug}))

    return import_report(notebook.config, options.file, options.notebook, opened)


def _import_llamaindex(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.commands.moving import import_llamaindex_report

    return import_llamaindex_report(notebook, options.folder, _Telling(options).sentence)


def _export_llamaindex(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.commands.moving import export_llamaindex_report

    return export_llamaindex_report(notebook, options.folder)


class _Telling:
    """Progress on stderr for a person at a terminal; nothing with `--json` or into a file."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._quiet = bool(options.json) or not sys.stderr.isatty()

    def event(self, event: Event) -> None:
        """One line, written over the one before."""
        if self._quiet:
            return
        left = f", {event.seconds_left:.0f} s left" if event.seconds_left else ""
        end = "\n" if event.stage is Stage.PUBLISH and event.done else ""
        name = _printable(event.source or "")[:60]
        print(f"\r\033[K{event.stage} {event.done:,} of {event.total:,}{left} {name}", end=end, file=sys.stderr)

    def asked(self, done: int, total: int, question: str) -> None:
        """As `event`, for questions."""
        if not self._quiet:
            end = "\n" if done == total else ""
            print(f"\r\033[K{done:,} of {total:,} {_printable(question)[:60]}", end=end, file=sys.stderr, flush=True)

    def sentence(self, text: str) -> None:
        """A line of its own."""
        if not self._quiet:
            print(_printable(text), file=sys.stderr)


def _printable(text: str, stream: TextIO | None = None) -> str:
    """Without control characters, which a document could use to write on the terminal, and without what it lacks."""
    shown = "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
    encoding = getattr(stream or sys.stderr, "encoding", None) or "utf-8"
    return shown.encode(encoding, "replace").decode(encoding)


def _as_json(report: Report) -> str:
    text = json.dumps(report, ensure_ascii=False, indent=1, default=_jsonable)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(report, indent=1, default=_jsonable)
    return text


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")

"""`python -m rag COMMAND …`: the notebook without a browser.

Exit code 0: done. 1: failed, with one sentence on stderr. 2: wrong usage or settings. With `--json`, stdout is exactly
one JSON object, also when the command fails.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

from rag.commands import evaluation, tags, upkeep
from rag.commands.asking import add_filters, ask_report, opened_of, search_report
from rag.commands.printing import Telling, as_json, printable
from rag.commands.reports import Report, outcome_report
from rag.commands.status import history_report, sources_report, spaces_report, status_report
from rag.config import Config, load_config
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
from rag.manifest import VerdictName
from rag.notebook import Notebook
from rag.outcome import ChunkCounts
from rag.settings import check_slug
from rag.sources.folders import collect
from rag.sources.incoming import Incoming
from rag.storage.failures import translate

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
            print(as_json(report))
        elif code == 0 or "findings" in report or "rows" in report:  # worth reading when they are bad, or not all
            print("\n".join(printable(line, sys.stdout) for line in lines))
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; the interpreter must not try again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if code:
        print(printable(sentence), file=sys.stderr)
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
    command("status", status_report, "say what opening finds, and why; calls no model")
    command("sources", sources_report, "list the sources")
    remove = command("remove", _remove, "take sources out of the next snapshot")
    remove.add_argument("names", nargs="+", metavar="NAME")
    tags.register(command)
    for name, run, text in (
        ("search", search_report, "find passages"),
        ("ask", ask_report, "answer a question with citations"),
    ):
        asking = command(name, run, text)
        asking.add_argument("text", metavar="TEXT")
        asking.add_argument("-k", type=_positive, default=8, help="passages; default 8")
        add_filters(asking)
        if name == "search":
            asking.add_argument(
                "--explain", action="store_true", help="say why: ranks, scores, what was left out, time"
            )
    evaluation.add_arguments(command("eval", _eval, "measure a set of questions, or two sides beside"), _positive)
    command("history", history_report, "list the snapshots, newest first")
    spaces = command("spaces", spaces_report, "list the embedding spaces, or delete one")
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
    telling = Telling(options)
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
    return outcome_report(notebook.remove(options.names, on_wait=Telling(options).sentence))


def _eval(notebook: Notebook, options: argparse.Namespace) -> Report:
    telling = Telling(options)

    def opened(slug: str) -> Notebook:
        return _notebook(argparse.Namespace(**{**vars(options), "notebook": slug}))

    return evaluation.eval_report(notebook, options, opened, opened_of, telling.asked)


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

    return import_llamaindex_report(notebook, options.folder, Telling(options).sentence)


def _export_llamaindex(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.commands.moving import export_llamaindex_report

    return export_llamaindex_report(notebook, options.folder)

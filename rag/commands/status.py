"""status, sources, history and spaces."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict

from rag.changes import Code, to_saved
from rag.commands import upkeep
from rag.commands.reports import Report, change_report, history_line, manifest_report, receipt_report
from rag.errors import Damaged
from rag.home.verdicts import Status
from rag.manifest import Manifest, VerdictName
from rag.notebook import Notebook
from rag.outcome import ChunkCounts, SourceCounts
from rag.reading.sandbox import available
from rag.text.counting import count
from rag.wording.changes import result, sentence


def status_report(notebook: Notebook, _options: argparse.Namespace) -> Report:
    status = notebook.status(hashing=True)  # a process of its own, so no opening has told what looking does not see
    verdict = status.verdict
    counts = status.counts
    chunks = counts.chunks if counts else 0
    report: Report = {
        "verdict": verdict.name,
        "snapshot": verdict.snapshot,
        "space": status.space_fp,
        "recipe": status.recipe_fp,
        "changes": [change_report(change) for change in verdict.changes],
        "sources": asdict(_status_counts(status)),
        "chunks": asdict(ChunkCounts(chunks, 0, chunks)),
        "receipt": receipt_report(verdict.receipt, status.seconds),
        "failures": [{"name": name, "reason": reason} for name, reason in status.failed],
        "where": verdict.where,
        "size_bytes": status.size_bytes,
        "reading_sandbox": available().as_json(),
        "sentence": verdict.sentence,
        "next_step": verdict.next_step,
    }
    report["_lines"] = [f"{verdict.name}: {verdict.sentence} {verdict.next_step}".rstrip()]
    report["_lines"] += [f"  {sentence(change)}" for change in verdict.changes]
    return report


def _status_counts(status: Status) -> SourceCounts:
    counts = status.counts
    if counts is None:
        return SourceCounts(total=0, added=status.registered)
    if status.verdict.name is not VerdictName.STALE:
        return SourceCounts(total=counts.sources, unchanged=counts.sources, failed=counts.failed)
    wished = Counter(change.code for change in status.verdict.changes)
    changed, renamed, removed = wished[Code.CHANGED], wished[Code.RENAMED], wished[Code.REMOVED]
    return SourceCounts(
        total=counts.sources,
        added=wished[Code.ADDED],
        changed=changed,
        unchanged=max(0, counts.sources - changed - removed - renamed),
        renamed=renamed,
        removed=removed,
        failed=counts.failed,
    )


def sources_report(notebook: Notebook, _options: argparse.Namespace) -> Report:
    rows = notebook.sources()
    lines = [f"{row.name}: {row.state}, {count(row.chunks, 'chunk')}, {result(row.made)}" for row in rows]
    return {
        "verdict": notebook.status().verdict.name,
        "sources": [asdict(row) | {"made": to_saved(row.made)} for row in rows],
        "_lines": lines or ["No sources yet."],
    }


def history_report(notebook: Notebook, _options: argparse.Namespace) -> Report:
    every = list(notebook.place.snapshots.newest())
    return {
        "verdict": notebook.status().verdict.name,
        "history": [manifest_report(one) for one in every if isinstance(one, Manifest)],
        "damaged": [str(one) for one in every if isinstance(one, Damaged)],
        "_lines": [history_line(one) if isinstance(one, Manifest) else f"   {one}" for one in every]
        or ["No snapshots yet."],
    }


def spaces_report(notebook: Notebook, options: argparse.Namespace) -> Report:
    if options.delete is not None:
        return upkeep.delete_space(notebook, options.delete, sure=options.yes)
    spaces = notebook.spaces()
    lines = [f"{one['model']} ({one['provider']}), {_vectors(one['vectors'])}" for one in spaces]
    return {
        "verdict": notebook.status().verdict.name,
        "spaces": spaces,
        "_lines": lines or ["No embedding spaces yet."],
    }


def _vectors(number: int | None) -> str:
    return "vectors that cannot be read: run doctor" if number is None else count(number, "vector")

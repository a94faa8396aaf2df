"""Commands that look after a notebook: compare, go back, forget, purge, collect, spend, estimate, examine."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rag.commands.reports import Report, change_report, outcome_report
from rag.errors import ConfigError
from rag.manifest import VerdictName
from rag.notebook import Notebook
from rag.progress import Watch
from rag.text.counting import count
from rag.wording.changes import sentence as said_of

Run = Callable[[Notebook, argparse.Namespace], Report]
Command = Callable[[str, Run, str], argparse.ArgumentParser]


def register(command: Command) -> None:
    """Add the commands of this room to the parser."""
    build = command("build", _build, "bring the index to what is wanted: build, update, switch, continue")
    build.add_argument("--new-space", action="store_true", help="after REFUSED: a new space for the model that answers")
    diff = command("diff", _diff, "compare two snapshots")
    diff.add_argument("before", type=int, metavar="A")
    diff.add_argument("after", type=int, metavar="B")
    rollback = command("rollback", _rollback, "publish a new snapshot that pins an older one; calls no model")
    rollback.add_argument("snapshot", type=int, metavar="N")
    keep = command("keep", _keep, "never retire a snapshot")
    keep.add_argument("snapshot", type=int, metavar="N")
    keep.add_argument("--off", action="store_true", help="take the mark off again")
    forget = command("forget", _forget, "remove a snapshot from history; gc then frees its files")
    forget.add_argument("snapshot", type=int, metavar="N")
    gc = command("gc", _gc, "show what nothing needs any more; remove it with --yes")
    gc.add_argument("--yes", action="store_true", help="remove it")
    purge = command("purge", _purge, "take sources out of everything, also of history, cache and originals")
    purge.add_argument("names", nargs="+", metavar="NAME")
    purge.add_argument("--yes", action="store_true", help="do it; without, say what would be lost")
    spend = command("spend", _spend, "what was paid for models")
    spend.add_argument("--by", choices=("day", "notebook", "model", "purpose"), default="day")
    doctor = command("doctor", _doctor, "examine everything the notebook rests on; calls no model")
    doctor.add_argument("--deep", action="store_true", help="read every file and vector in full")
    doctor.add_argument("--repair", action="store_true", help="say what repairing would cost")
    doctor.add_argument("--yes", action="store_true", help="with --repair: do it")


def delete_space(notebook: Notebook, fingerprint: str, *, sure: bool) -> Report:
    """Delete a saved space with its vectors, or say what it would cost to get it back."""
    from rag.upkeep.space_removal import remove_space

    removal = remove_space(notebook.place, fingerprint, sure=sure)
    return _said(notebook, removal.sentence) | {
        "deleted": removal.done,
        "vectors": removal.vectors,
        "tokens": removal.tokens,
        "cost_usd": removal.cost_usd,
    }


def _build(notebook: Notebook, options: argparse.Namespace) -> Report:
    notebook.place.must_exist()
    if options.new_space:
        notebook.new_space()
    return outcome_report(notebook.build())


def _diff(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.upkeep.history import diff

    found = diff(notebook.place, options.before, options.after)
    lines = [f"added: {name}" for name in found.added]
    lines += [f"changed: {name}" for name in found.changed]
    lines += [f"renamed: {old} → {new}" for old, new in found.renamed]
    lines += [f"removed: {name}" for name in found.removed]
    lines += [said_of(change) for change in found.recipe]
    recipe = [change_report(change) for change in found.recipe]
    lines.append(
        f"chunks: {found.chunks_added:,} added, {found.chunks_removed:,} removed, {found.chunks_kept:,} the same"
    )
    return {"verdict": notebook.status().verdict.name, "diff": asdict(found) | {"recipe": recipe}, "_lines": lines}


def _rollback(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.upkeep.history import rollback

    return outcome_report(rollback(notebook.place, options.snapshot))


def _keep(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.home.retiring import keep, kept, unkeep

    (unkeep if options.off else keep)(notebook.place, options.snapshot)
    done = "may be retired again" if options.off else "is kept"
    return _said(notebook, f"Snapshot {options.snapshot} {done}.") | {"kept": sorted(kept(notebook.place))}


def _forget(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.upkeep.history import forget

    forget(notebook.place, options.snapshot)
    return _said(notebook, f"Snapshot {options.snapshot} is forgotten. `gc` shows what that frees.")


def _gc(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.upkeep.garbage import collect, find

    notebook.place.must_exist()
    found = collect(notebook.place) if options.yes else find(notebook.place)
    verb = "removed" if options.yes else "not needed by anything"
    sentence = found.blocked or f"{count(len(found.files), 'file')} {verb}, {found.size:,} bytes."
    if found.files and not options.yes:
        sentence += " Remove them with --yes."
    report = _said(notebook, sentence, [f"  {name} ({size:,} bytes)" for name, size in found.files])
    return report | {
        "files": [{"name": name, "bytes": size} for name, size in found.files],
        "bytes": found.size,
        "removed": bool(options.yes and not found.blocked),
    }


def _purge(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.upkeep.purge_plan import plan_purge
    from rag.upkeep.purging import purge

    if not options.yes:
        planned = plan_purge(notebook.place, options.names, notebook.config)
        return _said(notebook, f"{planned.sentence} Say --yes to do it.") | {"plan": asdict(planned), "purged": False}
    planned, outcome = purge(notebook.place, options.names, notebook.config)
    return outcome_report(outcome) | {"plan": asdict(planned), "purged": True}


def _spend(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.storage.ledger import Ledger, summed

    ledger = Ledger(notebook.place.objects)
    spent = ledger.spent(options.by)
    total = summed("In all", list(ledger.entries()))
    prices = notebook.config.prices
    table = f"{prices.file or 'the list that comes along'}, read on {prices.read_on}"
    lines = [
        f"{one.group}: {count(one.calls, 'call')}, {count(one.texts, 'text')}, {one.tokens:,} tokens, {one.cost}"
        for one in [*spent, total]
    ]
    return {
        "verdict": notebook.status().verdict.name,
        "by": options.by,
        "spent": [asdict(one) for one in spent],
        "total": {key: value for key, value in asdict(total).items() if key != "group"},
        "prices": {"read_on": prices.read_on, "file": prices.file or None},
        "_lines": [*lines, f"Each call at the price of its day; prices in use now: {table}."]
        if spent
        else ["Nothing was paid for."],
    }


def _doctor(notebook: Notebook, options: argparse.Namespace) -> Report:
    from rag.upkeep.doctor import examine
    from rag.upkeep.repair_costs import repair_plan
    from rag.upkeep.repairs import repair

    if options.yes and not options.repair:
        raise ConfigError("--yes goes with --repair.")
    place, config = notebook.place, notebook.config
    if options.repair and options.yes:
        repaired = repair(place, config, notebook.models.embedder, Watch(wait_seconds=60))
        sentence = (
            "Repaired." if not repaired.left else f"{count(len(repaired.left), 'finding')} could not be repaired."
        )
        report = _said(notebook, sentence, [*repaired.done, *(_finding_line(one) for one in repaired.left)])
        report |= {"repaired": list(repaired.done), "findings": [asdict(one) for one in repaired.left]}
        if repaired.left:
            report["verdict"] = VerdictName.FAILED
        if repaired.outcome is not None:
            report["outcome"] = {key: value for key, value in outcome_report(repaired.outcome).items() if key[0] != "_"}
        return report
    found = examine(place, config, deep=options.deep or options.repair)
    healthy = not found.findings
    sentence = "Everything is in order." if healthy else f"{count(len(found.findings), 'finding')}."
    lines = [_finding_line(one) for one in found.findings]
    report = {"findings": [asdict(one) for one in found.findings], "checked": found.checked, "healthy": found.healthy}
    if options.repair:
        planned = repair_plan(place, config, found)
        sentence += f" {planned.sentence}" + (" Say --yes to repair." if planned.steps else "")
        lines += [f"  would: {step}" for step in planned.steps]
        report["plan"] = asdict(planned)
    if not found.healthy:
        # A failure of the command, so that a script notices; the findings say what kind. A note only takes room.
        report["verdict"] = VerdictName.FAILED
        sentence = f"{sentence} {found.findings[0].sentence}"
    return _said(notebook, sentence, lines) | report


def _finding_line(finding: Any) -> str:
    lost = f" Lost: {finding.lost}" if finding.lost else ""
    return f"{finding.severity}: {finding.code}: {finding.sentence}{lost} {finding.repair}".rstrip()


def _said(notebook: Notebook, sentence: str, lines: list[str] | None = None) -> Report:
    verdict = notebook.status().verdict
    return {
        "verdict": verdict.name if verdict.name is not VerdictName.FAILED else VerdictName.HIT,
        "snapshot": verdict.snapshot,
        "sentence": sentence,
        "_lines": [sentence, *(lines or [])],
    }

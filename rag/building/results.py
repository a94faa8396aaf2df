"""What a build made of each source and what it came to, in rows, counts and words."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag import old_sentences
from rag.building.plan import Plan
from rag.building.spool import Spooled
from rag.changes import Change, Code, change
from rag.manifest import Manifest, Receipt, Verdict, VerdictName
from rag.outcome import ChunkCounts, Outcome, SourceCounts
from rag.sources.rows import Given, SourceRow
from rag.spaces.recipe import recipe_changes
from rag.text.counting import count


@dataclass(frozen=True)
class Read:
    """A source that was read, and how many chunks it has; or why it could not be (`failure`).

    `embedded` counts the texts that were paid for because of it. `kept` is where its chunks wait to be written."""

    row: SourceRow
    chunks: int = 0
    media_type: str = ""
    failure: str = ""
    embedded: int = 0
    kept: Spooled | None = None


def standing(wanted: Sequence[SourceRow], built: Sequence[SourceRow]) -> list[SourceRow]:
    """The wanted sources, each with the chunks that the snapshot to start from (`built`) has of it. The registry may
    tell of those that a build of another recipe made, which are not in this index."""
    before = {row.source_id: row for row in built}
    nothing = SourceRow("", "", "", 0)
    rows = []
    for row in wanted:
        old = before.get(row.source_id, nothing)
        if old == row:
            rows.append(row)
            continue
        rows.append(
            replace(
                row,
                media_type=old.media_type,
                built_digest=old.built_digest,
                chunks=old.chunks,
                embedded=old.embedded,
                reused=old.reused,
            )
        )
    return rows


def results(wanted: Sequence[SourceRow], todo: Plan, reads: Sequence[Read], snapshot: int) -> list[SourceRow]:
    """The registry as the new snapshot has it: what was wanted, and what became of it."""
    kept = {row.source_id: row for row in todo.keep}
    renamed = {new.source_id: old for old, new in todo.renamed}
    read = {one.row.source_id: one for one in reads}
    rows = []
    for row in wanted:
        if kept.get(row.source_id) == row:
            rows.append(row)
        elif row.source_id in kept:
            # Everything but what the user may have changed without touching the chunks.
            rows.append(replace(kept[row.source_id], position=row.position, origin=row.origin, added=row.added))
        elif row.source_id in renamed:
            old = renamed[row.source_id]
            rows.append(
                replace(
                    old,
                    name=row.name,
                    origin=row.origin,
                    position=row.position,
                    snapshot=snapshot,
                    changed="renamed",
                    why=old_sentences.why(change(Code.RENAMED, before=old.name, after=row.name)),
                )
            )
        else:
            rows.append(_result(row, read[row.source_id], snapshot))
    return rows


def _result(row: SourceRow, read: Read, snapshot: int) -> SourceRow:
    if read.failure:
        made = old_sentences.unreadable(read.failure, kept=row.chunks if row.built_digest else None)
        return replace(
            row,
            state="failed",
            changed="failed",
            reason=read.failure,
            why=old_sentences.why(made),
            snapshot=snapshot,
        )
    total, embedded = read.chunks, read.embedded
    return replace(
        row,
        state="indexed",
        reason="",
        media_type=read.media_type,
        built_digest=row.digest,
        chunks=total,
        embedded=embedded,
        reused=total - embedded,
        changed="changed" if row.built_digest else "new",
        why=old_sentences.why(change(Code.ADDED, chunks=total, embedded=embedded)),
        snapshot=snapshot,
    )


def source_counts(rows: Sequence[SourceRow], todo: Plan, reads: Sequence[Read]) -> SourceCounts:
    good = [read for read in reads if not read.failure]
    changed = sum(1 for read in good if read.row.built_digest)
    return SourceCounts(
        total=sum(1 for row in rows if row.built_digest),
        added=len(good) - changed,
        changed=changed,
        unchanged=sum(1 for row in todo.keep if row.state == "indexed"),
        renamed=len(todo.renamed),
        removed=len(todo.drop),
        failed=sum(1 for row in rows if row.state == "failed"),
    )


def published_sentence(verdict: VerdictName, manifest: Manifest, embedded: int) -> str:
    chunks = count(manifest.counts.chunks, "chunk")
    made = f"{count(embedded, 'text')} embedded, the rest reused" if embedded else "nothing was embedded"
    verb = {
        VerdictName.BUILT: "Built",
        VerdictName.UPDATED: "Updated",
        VerdictName.REBUILT: "Built with another recipe",
        VerdictName.RESUMED: "Finished the interrupted build",
        VerdictName.RECOVERED: "Recovered from damage",
        VerdictName.SWITCHED: "Switched back to a saved index",
    }[verdict]
    sources = count(manifest.counts.sources, "source")
    return f"{verb}: snapshot {manifest.snapshot} has {chunks} from {sources}; {made}."


def verdict_name(
    head: Manifest | None, damaged: Sequence[str], recipe_fp: str, *, at_no_cost: bool, resumed: bool
) -> VerdictName:
    """What a build that published came to. `head` is the snapshot that answered before, `damaged` what was passed over
    for it; `at_no_cost`: it went on from a snapshot of its own recipe, and embedded nothing."""
    if damaged:
        return VerdictName.RECOVERED
    if head is None:
        return VerdictName.RESUMED if resumed else VerdictName.BUILT
    if head.recipe_fp != recipe_fp:
        return VerdictName.SWITCHED if at_no_cost else VerdictName.REBUILT
    return VerdictName.RESUMED if resumed else VerdictName.UPDATED


def changes_of(
    head: Manifest | None,
    damaged: Sequence[str],
    healed: str | None,
    todo: Plan,
    reads: Sequence[Read],
    recipe: Mapping[str, Any],
) -> tuple[Change, ...]:
    """Why a snapshot is not the one before: damage, recipe, then source by source. `healed` says what became of a
    damaged vector cache, if it was one."""
    changes = [change(Code.DAMAGE, sentence=problem) for problem in damaged]
    if head is not None:
        changes += recipe_changes(head.recipe, recipe)
    if healed:
        changes.append(change(Code.CACHE_HEALED, sentence=healed))
    for read in reads:
        if read.failure:
            changes.append(old_sentences.unreadable(read.failure, source=read.row.name))
        else:
            code = Code.CHANGED if read.row.built_digest else Code.ADDED
            changes.append(change(code, source=read.row.name, chunks=read.chunks, embedded=read.embedded))
    changes += [change(Code.RENAMED, before=old.name, after=new.name) for old, new in todo.renamed]
    changes += [change(Code.REMOVED, source=row.name, chunks=row.chunks) for row in todo.drop]
    return tuple(changes)


def unchanged(base: Manifest, receipt: Receipt) -> Outcome:
    """Of a build that found nothing to do."""
    called = "The model is the one of its vectors." if receipt.canary_texts else "No model was called."
    sentence = f"Nothing to do: snapshot {base.snapshot} already is what is wanted. {called}"
    return as_it_was(base, Verdict(VerdictName.UNCHANGED, sentence, "", base.snapshot, (), receipt))


def as_it_was(base: Manifest, verdict: Verdict) -> Outcome:
    """The counts of a snapshot that stays, with a verdict."""
    return Outcome(
        verdict=verdict,
        sources=SourceCounts(total=base.counts.sources, unchanged=base.counts.sources, failed=base.counts.failed),
        chunks=ChunkCounts(base.counts.chunks, 0, base.counts.chunks),
        failures=tuple((failure.name, failure.reason) for failure in base.failures),
        space=base.space_fp,
        recipe=base.recipe_fp,
    )


def nothing_built(sentence: str, started: float) -> Outcome:
    """There is nothing to build from, so no model is asked what its space is. `started` is in monotonic seconds."""
    receipt = Receipt(seconds=round(time.monotonic() - started, 4))
    verdict = Verdict(VerdictName.EMPTY, sentence, "Add files, or the sample library.", receipt=receipt)
    return Outcome(verdict, SourceCounts(), ChunkCounts())


def of_this_call(
    outcome: Outcome,
    given: Sequence[Given],
    refused: Sequence[tuple[str, str]],
    seconds: float,
) -> Outcome:
    """An outcome of the build, told of the files that were given: only their failures, and the refused ones too."""
    names = {one.name for one in given}
    failures = [*refused, *(failure for failure in outcome.failures if failure[0] in names)]
    failed = {name for name, _ in failures}
    counts = replace(outcome.sources, failed=len(failures))
    verdict = replace(outcome.verdict, receipt=replace(outcome.verdict.receipt, seconds=round(seconds, 4)))
    if failures and len(failed) >= len(names | failed):
        sentence = f"{failures[0][0]}: {failures[0][1]}"
        if len(failures) > 1:
            sentence = f"None of {count(len(failures), 'file')} could be read. {sentence}"
        verdict = Verdict(
            VerdictName.FAILED,
            sentence,
            "Correct the files and add them again.",
            verdict.snapshot,
            verdict.changes,
            verdict.receipt,
        )
    elif failures:
        verdict = replace(verdict, sentence=f"{verdict.sentence} {count(len(failures), 'file')} could not be read.")
    return replace(outcome, verdict=verdict, sources=counts, failures=tuple(failures))

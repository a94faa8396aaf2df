"""What commands print: JSON objects as documented, with the lines for a person under `_lines`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rag.changes import Change, to_saved
from rag.citing.answer import Answer, Citation, Found
from rag.home.verdicts import Status
from rag.manifest import Manifest, Receipt, VerdictName
from rag.old_sentences import old_form
from rag.outcome import Outcome
from rag.text.counting import count
from rag.wording.changes import sentence

if TYPE_CHECKING:
    from rag.asking.explaining import Explanation

Report = dict[str, Any]
_EXPLAINED = 20
"""Candidates listed for a person, where fewer passages were asked for."""


def outcome_report(outcome: Outcome) -> Report:
    """What adding, building or removing came to."""
    verdict = outcome.verdict
    lines = [f"{verdict.name}: {verdict.sentence}"]
    lines += [f"  {sentence(change)}" for change in verdict.changes]
    lines += [f"  not added: {name}: {reason}" for name, reason in outcome.failures]
    return {
        "verdict": verdict.name,
        "snapshot": verdict.snapshot,
        "space": outcome.space,
        "recipe": outcome.recipe,
        "changes": [change_report(change) for change in verdict.changes],
        "sources": asdict(outcome.sources),
        "chunks": asdict(outcome.chunks),
        "receipt": asdict(verdict.receipt),
        "failures": [{"name": name, "reason": reason} for name, reason in outcome.failures],
        "sentence": verdict.sentence,
        "_lines": lines,
    }


def found_report(found: Found, status: Status) -> Report:
    """What a search found."""
    hits = [
        {
            "rank": one.n,
            "score": one.score,
            "source": one.source,
            "page": one.page,
            "start": one.start,
            "end": one.end,
            "text": one.text,
            "heading": one.heading,
            "also_in": list(one.also_in),
            "dense": one.dense,
            "lexical": one.lexical,
        }
        for one in found.passages
    ]
    lines = [
        f"{one.n}. {one.source}{f', page {one.page}' if one.page else ''} ({one.score:.4f})\n   "
        + " ".join(one.text.split())[:300]
        for one in found.passages
    ]
    return {
        "verdict": status.verdict.name,
        "snapshot": found.snapshot,
        "hits": hits,
        "receipt": asdict(found.receipt),
        "notes": list(found.notes),
        "_lines": [*(lines or ["Nothing found."]), *found.notes],
    }


def explanation_report(explained: Explanation, status: Status) -> Report:
    """What a search found and why: as `found_report`, and all of the explanation under `explanation`."""
    from rag.asking.explaining import sentences_of

    first = tuple(one.passage for one in explained.candidates[: explained.k])
    found = Found(first, explained.snapshot, VerdictName.HIT, explained.receipt, explained.notes)
    report = found_report(found, status)
    fields = {name: value for name, value in asdict(explained).items() if name not in ("receipt", "notes", "snapshot")}
    fields["stages"] = dict(explained.stages)
    fields["parts"] = [{"part": part, "tokens": tokens} for part, tokens in explained.parts]
    fields["sentences"] = sentences_of(explained)
    return report | {"explanation": fields, "_lines": _explanation_lines(explained)}


def _explanation_lines(explained: Explanation) -> list[str]:
    from rag.asking.explaining import sentences_of

    def hit(rank: int | None, score: float | None, digits: int) -> str:
        return f"{rank or '-'} ({score:.{digits}f})" if score is not None else "-"

    table = [["", "fused", "by meaning", "by words", "", "passage"]]
    for one in explained.candidates[: max(explained.k, _EXPLAINED)]:
        passage = one.passage
        place = f"{passage.source}{f', page {passage.page}' if passage.page else ''}"
        text = " ".join(passage.text.split())[:60]
        meaning, words = hit(one.dense_rank, passage.dense, 3), hit(one.lexical_rank, passage.lexical, 2)
        rank = f"{passage.n}." if passage.n == one.fused_rank else f"{passage.n}. (was {one.fused_rank})"
        table.append([rank, f"{passage.score:.4f}", meaning, words, one.fate, f"{place}: {text}"])
    widths = [max(len(row[at]) for row in table) for at in range(5)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in table]
    if explained.parts:
        parts = ", ".join(f"{part} {tokens:,}" for part, tokens in explained.parts)
        lines.append(f"Tokens sent to {explained.model}: {sum(tokens for _, tokens in explained.parts):,} ({parts})")
    lines.append("Seconds: " + ", ".join(f"{stage} {seconds:.4f}" for stage, seconds in explained.stages.items()))
    return [*sentences_of(explained), *lines, *explained.notes]


def nothing_to_open(status: Status) -> Report | None:
    """The report for a notebook without any snapshot; None when there is one to open."""
    if status.head is not None and status.head.counts.chunks:
        return None
    verdict = status.verdict
    if verdict.name in (VerdictName.EMPTY, VerdictName.NEW, VerdictName.RESUMABLE, VerdictName.BUSY):
        return {
            "verdict": verdict.name,
            "snapshot": verdict.snapshot,
            "receipt": asdict(Receipt()),
            "notes": [verdict.sentence],
            "_lines": [f"{verdict.sentence} {verdict.next_step}"],
        }
    return None


def citation_report(citation: Citation) -> Report:
    """One citation."""
    return {
        "n": citation.n,
        "source": citation.source,
        "page": citation.page,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "state": citation.state,
    }


def cited_lines(answer: Answer) -> list[str]:
    """The citations of an answer, one line each."""
    return [
        f"[{one.n}] {one.source}{f', page {one.page}' if one.page else ''} ({one.state})" for one in answer.citations
    ]


def change_report(change: Change) -> Report:
    """A change: its code with fields, for programs, and `what`, `before` and `after` as they are saved."""
    return old_form(change) | to_saved(change)


def manifest_report(manifest: Manifest) -> Report:
    """One snapshot."""
    return {
        "snapshot": manifest.snapshot,
        "created": manifest.created,
        "verdict": manifest.verdict,
        "recipe": manifest.recipe_fp,
        "space": manifest.space_fp,
        "counts": asdict(manifest.counts),
        "changes": [change_report(change) for change in manifest.changes],
        "receipt": asdict(manifest.receipt),
        "size_bytes": manifest.size,
    }


def history_line(manifest: Manifest) -> str:
    """One snapshot in one line."""
    counts = manifest.counts
    return (
        f"{manifest.snapshot}  {manifest.created}  {manifest.verdict}  {count(counts.sources, 'source')}, "
        f"{count(counts.chunks, 'chunk')}, {count(manifest.receipt.texts, 'text')} embedded"
    )


def receipt_report(receipt: Receipt, seconds: float) -> Report:
    """A receipt, with the seconds that looking took."""
    return asdict(replace(receipt, seconds=round(seconds, 4)))

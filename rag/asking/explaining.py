"""Why these passages: one question searched once more, with everything that the search itself does not keep.

The search is the same as ever, and writes down what it otherwise forgets (`retrieval.Trace`): what is explained is what
happened.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rag.asking.answering import writer_of
from rag.asking.relevance import LEAST_COSINE, relevant
from rag.asking.retrieval import Trace
from rag.asking.writer import Preview
from rag.citing.answer import Passage
from rag.manifest import Receipt
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.sources.restriction import Restriction

Fate = Literal["sent", "read", "no room", "not asked for", "nothing relevant"]
"""`sent` to the language model; `read` where there is none, the first of them for sentences to quote; `no room` in the
model's window; `not asked for`: behind the number wanted; `nothing relevant`: none is close enough to the question."""


@dataclass(frozen=True)
class Candidate:
    """A passage that either search found. `passage.n` is its rank, `fused_rank` the one before re-ranking, the same
    where nothing is re-ranked; `passage.score` is the fused score, `passage.dense` and `passage.lexical` cosine and
    BM25. `dense_rank` and `lexical_rank` count from 1 within each search, None where it is not among the best of that
    one."""

    passage: Passage
    dense_rank: int | None
    lexical_rank: int | None
    fate: Fate
    fused_rank: int


@dataclass(frozen=True)
class Explanation:
    """What a search did. `candidates` are all that either search found, by fused score or as re-ranked.

    `filtered` chunks were not searched, because filters leave them out.
    `dense` and `lexical` count the chunks of each search, `both` those of both, and `merged` those whose text another
    candidate has: they are named with it. `relevant` says whether the passages wanted are close enough to answer from,
    and `best_cosine` is theirs, None without a vector. `quotable` says whether a sentence of them is, None where a
    language model writes or nothing is near. `parts` are tokens of what is sent to the language
    model, in order and empty where there is none, and `window` how many it takes with its answer. `stages` are seconds.
    `model` writes the answer; `none` quotes. `receipt` is what this explanation has cost.
    """

    question: str
    snapshot: int
    k: int
    space: str
    model: str
    candidates: tuple[Candidate, ...]
    filtered: int
    dense: int
    lexical: int
    both: int
    merged: int
    relevant: bool
    best_cosine: float | None
    quotable: bool | None
    parts: tuple[tuple[str, int], ...]
    window: int | None
    stages: Mapping[str, float]
    receipt: Receipt
    notes: tuple[str, ...] = ()


def sentences_of(one: Explanation) -> list[str]:
    """The explanation in plain sentences: what was found, merged, judged and left out."""
    said = [f"Filters leave out {count(one.filtered, 'chunk')}."] if one.filtered else []
    said.append(
        f"By meaning {count(one.dense, 'chunk')}, by words {count(one.lexical, 'chunk')}; {one.both:,} in both."
    )
    if one.merged:
        said.append(f"{count(one.merged, 'chunk')} with the text of another: shown once, with all their sources.")
    if not one.candidates:
        said.append("Nothing was found.")
    elif one.best_cosine is None:
        said.append("There is no vector of the question, so that its words alone decide.")
    else:
        cosine, least = f"the best cosine is {one.best_cosine:.2f}", f"{LEAST_COSINE:.2f}"
        if not one.relevant:
            said.append(
                f"Nothing relevant: {cosine}, under {least}, and no passage holds enough of the question's words."
            )
        elif one.best_cosine >= LEAST_COSINE:
            said.append(f"Close enough to answer from: {cosine}, and {least} is enough.")
        else:
            said.append(
                f"Close enough to answer from: {cosine}, under {least}, but a passage holds the question's words."
            )
    if one.relevant and one.quotable is False:
        said.append("No sentence of them is near enough to the question to be quoted, so that it is declined.")
    behind = sum(candidate.fate == "not asked for" for candidate in one.candidates)
    if behind:
        said.append(f"{count(behind, 'passage')} behind the first {one.k:,}, and not used.")
    squeezed = sum(candidate.fate == "no room" for candidate in one.candidates)
    if squeezed:
        said.append(f"{count(squeezed, 'passage')} did not fit the model's window of {one.window:,} tokens.")
    return said


def explain(opened: Opened, text: str, k: int = 8, only: Restriction | None = None) -> Explanation:
    """Search for `text` and say how its passages came about. Costs the question's vector, and its re-ranking
    where that is chosen and was not done before; asks no language model for an answer.

    Raises:
        SpaceRefused, ModelError, NotFound: as `Opened.search`.
    """
    searcher, rows, trace = opened.searcher, opened.rows_of(only), Trace()
    started = time.monotonic()
    found = searcher.search(text, opened.reranking.depth(k), rows, trace)
    total = time.monotonic() - started
    behind = searcher.behind(trace, found)
    fused_ranks = {one.chunk_id: one.n for one in found.passages}
    before = time.monotonic()
    found = opened.reranking.reranked(text, found)
    reranking = time.monotonic() - before
    everything = (*found.passages, *behind)
    first = found.passages[:k]
    dense, lexical = _ranks(trace.nearest), _ranks(trace.matching)
    ids = [one.chunk_id for one in everything]
    numbers = dict(zip(ids, searcher.reader.numbers(ids), strict=True))
    near = bool(first) and relevant(text, first, embedded=opened.questions.local() is not None)
    writer = writer_of(opened)
    made = writer.preview(opened, text, first, only) if near else Preview()
    candidates = tuple(
        Candidate(
            one,
            dense.get(numbers[one.chunk_id]),
            lexical.get(numbers[one.chunk_id]),
            _fate(one, k, near=near and made.quotable is not False, sent=made.sent),
            fused_ranks.get(one.chunk_id, one.n),
        )
        for one in everything
    )
    cosines = [one.dense for one in first if one.dense is not None]
    stages: dict[str, float] = {**trace.seconds, "fuse and read": max(0.0, total - sum(trace.seconds.values()))}
    if opened.config.reranker != "none":
        stages["re-rank"] = reranking
    return Explanation(
        question=text,
        snapshot=found.snapshot,
        k=k,
        space=str(opened.questions.space),
        model=writer.name,
        candidates=candidates,
        filtered=0 if rows is None else searcher.reader.count - len(rows),
        dense=len(dense),
        lexical=len(lexical),
        both=len(dense.keys() & lexical.keys()),
        merged=len(dense.keys() | lexical.keys()) - len(everything),
        relevant=near,
        best_cosine=max(cosines, default=None),
        quotable=made.quotable,
        parts=made.parts,
        window=writer.window,
        stages={name: round(seconds, 4) for name, seconds in stages.items()},
        receipt=found.receipt,
        notes=(*found.notes, *made.notes),
    )


def _ranks(numbers: Sequence[int]) -> dict[int, int]:
    """Row number → rank from 1 in a search's own list."""
    return {number: rank for rank, number in enumerate(numbers, 1)}


def _fate(passage: Passage, k: int, *, near: bool, sent: frozenset[int] | None) -> Fate:
    if passage.n > k:
        return "not asked for"
    if not near:
        return "nothing relevant"
    if sent is None:
        return "read"
    return "sent" if passage.n in sent else "no room"

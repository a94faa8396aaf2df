"""Passages, the citations that point into them, and the check that they do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rag.manifest import Receipt, VerdictName
from rag.words import content_words, sentences

State = Literal["verified", "elsewhere", "not found"]

_MARK = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_MARKS_BEHIND = re.compile(
    r"([.!?…。！？][\"'”’»)]*)[^\S\n]*((?:\[\d{1,3}(?:\s*,\s*\d{1,3})*\][^\S\n]*)+)(?=$|\n|[^\sa-z])"
)
"""Marks behind the end of a sentence belong to it, as in `It is blue. [1] Next`; not in `It is blue. [1] says so`."""
_ITEM = re.compile(r"\s*(?:[-*+•·#|>]+|\d{1,3}[.)])\s")
_SUPPORTED = 0.6
"""Share of a claim's words that must stand in one sentence for it to count as said there."""


@dataclass(frozen=True)
class Passage:
    """A chunk found for a question. `n` counts from 1 in the order shown.

    `start` and `end` are the character range (end exclusive) in the text of the source, `page` the page it begins on,
    None where the format has no pages. `score` is the fused score, 0 to 1; `dense` the cosine, None without a vector or
    where the model does not know the language; `lexical` the BM25 score, None where no word was found. `also_in` names
    other sources that hold the same text, or almost the same.
    """

    n: int
    chunk_id: str
    source_id: str
    source: str
    text: str
    score: float
    page: int | None = None
    page_end: int | None = None
    start: int | None = None
    end: int | None = None
    heading: str = ""
    dense: float | None = None
    lexical: float | None = None
    also_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class Citation:
    """A claim of the answer tied to a place. `n` is the number of its passage.

    `quote` is the cited text, character by character as in the source; `start` and `end` are its character range in
    the source, and `page` its page. In state `not found` there is no such place: `quote` is the claim, the rest None.
    """

    n: int
    source: str
    quote: str
    state: State
    page: int | None = None
    start: int | None = None
    end: int | None = None
    chunk_id: str = ""


@dataclass(frozen=True)
class Found:
    """What a search came to: passages in order of score, from one snapshot. `notes` are sentences for the user."""

    passages: tuple[Passage, ...]
    snapshot: int
    verdict: VerdictName
    receipt: Receipt
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """An answer with its citations and where it came from.

    `kind`: `extractive` (sentences of the sources), `generated` (a language model's words), `nothing relevant`
    (searched, and no passage is close enough), `failed` (the language model failed: `text` says how; the passages are
    there all the same), `stopped` (by the user; what had come is kept).
    In `text`, `[n]` marks a citation of passage n.
    """

    question: str
    text: str
    kind: Literal["extractive", "generated", "nothing relevant", "failed", "stopped"]
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    snapshot: int
    verdict: VerdictName
    recipe_fp: str
    space: str
    model: str
    receipt: Receipt
    notes: tuple[str, ...] = ()
    asked: str = ""
    first_token_seconds: float | None = field(default=None)


def cited(text: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations in an answer: each `[n]` tied to the sentence of a passage that it rests on.

    A citation is *verified* when most of the claim's words and all of its numbers stand in one sentence of passage n,
    *elsewhere* when they stand in another passage, and *not found* otherwise. `quote` is that sentence, character by
    character. Numbers of passages that do not exist are left out.
    """
    known = {passage.n: passage for passage in passages}
    text = _MARKS_BEHIND.sub(_marks_inside, text)
    citations: list[Citation] = []
    for start, end in sentences(text):
        claim = text[start:end]
        numbers = [int(number) for group in _MARK.findall(claim) for number in group.split(",")]
        bare = _MARK.sub("", claim)
        if item := _ITEM.match(bare):  # the number of a list item is no number of the claim
            bare = bare[item.end() :]
        cited_here = [known[number] for number in dict.fromkeys(numbers) if number in known]
        citations += [_located(bare, passage, passages) for passage in cited_here]
    return tuple(citations)


def _marks_inside(match: re.Match[str]) -> str:
    behind = match[2][len(match[2].rstrip()) :] or " "
    return f" {match[2].rstrip()}{match[1]}{behind}"


def _located(claim: str, passage: Passage, passages: Sequence[Passage]) -> Citation:
    place = _best_sentence(claim, passage)
    if place:
        return _citation(passage, place, "verified", passage.n)
    for other in passages:
        if other.n != passage.n and (place := _best_sentence(claim, other)):
            return _citation(other, place, "elsewhere", passage.n)
    return Citation(passage.n, passage.source, " ".join(claim.split()), "not found")


def _best_sentence(claim: str, passage: Passage) -> tuple[int, int] | None:
    asked = content_words(claim)
    wanted = set(asked)
    if not wanted:
        return None
    figures = {word for word in asked if any(char.isdigit() for char in word)}
    best: tuple[float, tuple[int, int]] | None = None
    for start, end in sentences(passage.text):
        words = set(content_words(passage.text[start:end]))
        share = len(wanted & words) / len(wanted)
        if figures <= words and share >= _SUPPORTED and (best is None or share > best[0]):
            best = (share, (start, end))
    return best[1] if best else None


def _citation(passage: Passage, place: tuple[int, int], state: State, n: int) -> Citation:
    start, end = place
    begin = passage.start
    return Citation(
        n=n,
        source=passage.source,
        quote=passage.text[start:end],
        state=state,
        page=passage.page,
        start=None if begin is None else begin + start,
        end=None if begin is None else begin + end,
        chunk_id=passage.chunk_id,
    )

"""One claim against one sentence: what must hold for the sentence to say it, checked in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.citing.claims.binding import bound
from rag.citing.claims.context import said_before
from rag.citing.claims.exchange import exchanged
from rag.citing.claims.indexing import POSTINGS, IndexedText
from rag.citing.claims.matching import matches
from rag.citing.claims.negation import same_negations
from rag.citing.claims.pairing import Pairing
from rag.citing.claims.rivals import mixed
from rag.citing.claims.roles import roles_exchanged
from rag.citing.claims.term import Term

_PER_MISSING = 5
_MOST_MISSING = 2
_APART = 5
"""One ordinary word in five may be the claim's own, two at most, and not close to each other."""


@dataclass(frozen=True)
class Aligned:
    """The place of a claim in a text: its character range, and the share of the claim's terms found there, 0 to 1."""

    start: int
    end: int
    share: float


def attempt(pairing: Pairing) -> Aligned | None:
    """The aligned range, if everything that must hold does."""
    before = said_before(pairing)
    for index, (term, places) in enumerate(zip(pairing.claim, pairing.candidates, strict=True)):
        if not places and index not in before and _must_be_there(term):
            return None
    if not _as_often(pairing):
        return None
    pairing.choose()
    missing = _missing(pairing, before)
    if missing is None:
        return None
    aligned = sorted({place for place in pairing.places if place is not None})
    if not aligned or aligned[-1] - aligned[0] + 1 > 4 * len(aligned) + 16:
        return None
    if not (same_negations(pairing, set(aligned)) and bound(pairing) and not exchanged(pairing)):
        return None
    if mixed(pairing) or roles_exchanged(pairing):
        return None
    start, end = _range(pairing, aligned)
    return Aligned(start, end, 1 - missing / len(pairing.claim))


def _must_be_there(term: Term) -> bool:
    return term.kind in ("number", "name", "char") or term.polar or term.capital or not term.cased


def _as_often(pairing: Pairing) -> bool:
    """Whether nothing is said more often than the source has it."""
    often = Counter(
        tuple(places)
        for term, places in zip(pairing.claim, pairing.candidates, strict=True)
        if term.kind != "char" and 0 < len(places) < POSTINGS
    )
    return all(count <= len(places) for places, count in often.items())


def _missing(pairing: Pairing, before: frozenset[int]) -> int | None:
    """How many terms of the claim the source does not have; None when that is too many."""
    missing: list[int] = []
    for index, (term, place) in enumerate(zip(pairing.claim, pairing.places, strict=True)):
        if term.kind == "char":
            if not _in_a_run(pairing, index):
                return None
        elif place is None and index not in before:
            missing.append(index)
    if len(missing) > min(len(pairing.claim) // _PER_MISSING, _MOST_MISSING):
        return None
    # A stretch of words of its own is a thing of its own, however long the rest is.
    return None if any(two - one < _APART for one, two in pairwise(missing)) else len(missing)


def _in_a_run(pairing: Pairing, index: int) -> bool:
    """Whether a character is in the source with a neighbour of its own: one alone may belong to any word."""
    claim, content = pairing.claim, pairing.source.content
    term = claim[index]
    neighbours = []
    for step in (-1, 1):
        if 0 <= index + step < len(claim):
            other = claim[index + step]
            touching = other.end == term.start if step < 0 else term.end == other.start
            if other.kind in ("char", "number") and touching:
                neighbours.append((step, other))
    if not neighbours or len(term.keys) > 1:
        return True
    for place in pairing.candidates[index]:
        for step, other in neighbours:
            if pairing.low <= place + step < pairing.high and matches(other, content[place + step]):
                return True
    return False


def _range(pairing: Pairing, aligned: Sequence[int]) -> tuple[int, int]:
    """From the first to the last aligned term, with the small words of the claim that stand right beside."""
    source = pairing.source
    small = {key for term in pairing.said.all if term.kind in ("light", "not") for key in term.keys} | {"sign"}
    low, high = source.at[aligned[0]], source.at[aligned[-1]]
    low -= _small_before(source, low, small)
    high += _small_behind(source, high, small)
    start, end = source.all[low].start, source.all[high].end
    while end < len(source.text) and source.text[end] in ".!?。！？…%":
        end += 1
    return start, end


def _small_before(source: IndexedText, index: int, small: set[str]) -> int:
    at = index
    while at and _is_small(source.all[at - 1], source.all[index], small):
        at -= 1
    return index - at


def _small_behind(source: IndexedText, index: int, small: set[str]) -> int:
    at = index
    while at + 1 < len(source.all) and _is_small(source.all[at + 1], source.all[index], small):
        at += 1
    return at - index


def _is_small(term: Term, beside: Term, small: set[str]) -> bool:
    return term.sentence == beside.sentence and term.kind in ("light", "not") and term.keys[0] in small

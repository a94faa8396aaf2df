"""Whether each number and name of a claim stands in the source with what it stands with in the claim."""

from __future__ import annotations

from rag.citing.claims.matching import is_a
from rag.citing.claims.pairing import Pairing
from rag.citing.claims.term import Term


def bound(pairing: Pairing) -> bool:
    """Each number and name stands in the source with words that it stands with in the claim."""
    aligned = pairing.taken
    for index, term in enumerate(pairing.claim):
        if not (term.kind == "number" or is_a(term, "name")) or not pairing.candidates[index]:
            continue
        anchors = _anchors(pairing, index)
        if term.kind == "number" and _keeps_what_it_counts(pairing, index):
            continue
        if is_a(term, "name") and _goes_on_a_list(pairing, index):
            continue
        if anchors and not any(_beside(pairing, term, place, anchors, aligned) for place in pairing.candidates[index]):
            return False
    return True


def _keeps_what_it_counts(pairing: Pairing, index: int) -> bool:
    """Whether the noun behind a number stands right behind it in the source too."""
    if index + 1 >= len(pairing.claim) or pairing.claim[index + 1].kind != "name" or pairing.claim[index].unit:
        return False
    if pairing.claim[index + 1].keys[0].startswith("month:"):
        return False
    return any(place + 1 in pairing.candidates[index + 1] for place in pairing.candidates[index])


def _goes_on_a_list(pairing: Pairing, index: int) -> bool:
    """Whether the name before it in a list is also before it in the source: CBS and NBC."""
    if not index or not is_a(pairing.claim[index - 1], "name") or pairing.claim[index].role:
        return False
    return any(place - 1 in pairing.candidates[index - 1] for place in pairing.candidates[index])


def _anchors(pairing: Pairing, index: int) -> set[int]:
    """Places in the source of the words that stand in the claim's clause with the term at `index`."""
    clause = pairing.claim[index].clause
    kinds: tuple[str, ...] = ("word", "char")
    low = high = index
    while low and pairing.claim[low - 1].clause == clause and index - low < 24:
        low -= 1
    while high + 1 < len(pairing.claim) and pairing.claim[high + 1].clause == clause and high - index < 24:
        high += 1
    around = [at for at in range(low, high + 1) if at != index]
    if not any(pairing.claim[at].kind in kinds for at in around):
        around = [at for at in (index - 1, index + 1) if 0 <= at < len(pairing.claim)]
        kinds = ("word", "char", "name", "number")
    return {place for at in around if pairing.claim[at].kind in kinds for place in pairing.candidates[at]}


def _beside(pairing: Pairing, term: Term, place: int, anchors: set[int], aligned: frozenset[int]) -> bool:
    content = pairing.source.content
    clause = content[place].clause
    if any(content[anchor].clause == clause for anchor in anchors):
        return True
    alone = not _others(pairing, place, aligned)
    if alone and any(at in aligned for at in pairing.same_clause(place) if content[at].kind != term.kind):
        return True
    nearest = min(anchors, key=lambda anchor: abs(anchor - place))
    if is_a(term, "name"):
        # Another name at the head of the clause would be its subject.
        rival = any(
            at < nearest and is_a(content[at], "name") and at not in aligned and not content[at].role
            for at in pairing.same_clause(nearest)
        )
        rival = rival or any(_heads(pairing, at, aligned) for at in range(place + 1, nearest))
        return not rival and (alone or place < nearest)
    between = range(min(place, nearest) + 1, max(place, nearest))
    return alone and not any(content[at].kind == term.kind and at not in aligned for at in between[:200])


def _heads(pairing: Pairing, at: int, aligned: frozenset[int]) -> bool:
    """Whether a name that the claim does not have begins a clause, as its subject does."""
    content = pairing.source.content
    term = content[at]
    first = content[at - 1].clause != term.clause
    return first and is_a(term, "name") and at not in aligned and not term.role


def _others(pairing: Pairing, place: int, aligned: frozenset[int]) -> bool:
    """Whether the clause of the source around `place` has words of its own that the claim does not have."""
    return any(
        pairing.source.content[at].kind in ("word", "char") and at not in aligned for at in pairing.same_clause(place)
    )

"""What a negation denies, and whether a claim denies what its source denies."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from rag.citing.claims.indexing import IndexedText
from rag.citing.claims.pairing import Pairing

_PRECEDING = frozenset("without ohne sans sin sem senza zonder без بدون دون".split())  # noqa: SIM905
_FOLLOWING = frozenset("pas plus jamais rien".split())  # noqa: SIM905


def same_negations(pairing: Pairing, aligned: set[int]) -> bool:
    """Whether claim and source deny the same among the `aligned` places of the source."""
    end = pairing.first + len(pairing.claim)
    in_claim = [
        {
            place
            for at in scope
            if pairing.first <= at < end and (place := pairing.places[at - pairing.first]) is not None
        }
        for _, scope in negations(pairing.said, pairing.first, end)
    ]
    in_source = list(negations(pairing.source, pairing.low, pairing.high))
    if any(not scope for scope in in_claim):
        return False
    wide = [narrow | around(pairing.source, cue) for cue, narrow in in_source]
    for scope in in_claim:
        if not any(scope & other for other in wide):
            return False
    if len(in_claim) > sum(any(scope & other for scope in in_claim) for other in wide):
        return False  # denied once more than the source denies it
    for (_, narrow), other in zip(in_source, wide, strict=True):
        if narrow & aligned and not any(scope & other for scope in in_claim):
            return False
    return True


def negations(text: IndexedText, low: int, high: int) -> Iterable[tuple[int, set[int]]]:
    """Each negation among the terms `low` to `high`, as index in `all`, with the terms it denies, in `content`."""
    if low >= high:
        return
    first = text.content[low].sentence
    begin = text.at[low]
    while begin and text.all[begin - 1].sentence == first and text.all[begin - 1].kind in ("light", "not"):
        begin -= 1
    end = text.at[high - 1] + 1
    while end < len(text.all) and text.all[end].kind in ("light", "not") and text.all[end].sentence == first:
        end += 1
    position = low
    for index in range(begin, end):
        term = text.all[index]
        if position < high and text.at[position] < index:
            position += 1
        if term.kind != "not":
            continue
        after = [at for at in range(position, min(position + 3, high)) if text.content[at].clause == term.clause]
        before = [at for at in range(max(low, position - 2), position) if text.content[at].clause == term.clause]
        if not after:  # at the end of its clause it denies all of it
            before = [at for at in range(max(low, position - 6), position) if text.content[at].clause == term.clause]
        cue = term.keys[0]
        if cue in _PRECEDING:
            yield index, set(after)
        elif cue in _FOLLOWING:
            yield index, set(after) | set(before[-1:])
        else:
            yield index, set(after or before) or set(range(max(low, position - 1), min(position + 1, high)))


def around(text: IndexedText, index: int) -> set[int]:
    """Terms around a negation, for finding its counterpart."""
    term = text.all[index]
    near: set[int] = set()
    position = bisect.bisect_left(text.at, index)
    for at in range(max(0, position - 3), min(len(text.content), position + 4)):
        if text.content[at].clause == term.clause:
            near.add(at)
    return near

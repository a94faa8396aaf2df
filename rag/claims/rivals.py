"""Whether a number or name of a claim has been put in the place of another: a sentence of several parts may have all
the words of a claim, and say of each part something else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from rag.claims.indexing import IndexedText
from rag.claims.lexicon import DIMENSIONS, RELATIVE
from rag.claims.matching import is_a, matches
from rag.claims.pairing import Pairing
from rag.claims.term import Term

_COUNTED = {True: ("word", "name"), False: ("name",)}
"""What a number may count, in English and elsewhere, where a verb may stand behind a number."""


def mixed(pairing: Pairing) -> bool:
    """Whether the claim takes a number or name from one part of the sentence and what is said of it from another."""
    clauses = _clauses(pairing)
    if _crossed(list(clauses.values()), pairing):
        return True
    return any(_has_a_rival(pairing, indexes) for indexes in clauses.values()) or _counts_another(pairing)


def _clauses(pairing: Pairing) -> dict[int, list[int]]:
    """Indexes of the claim's terms by its clauses."""
    found: dict[int, list[int]] = defaultdict(list)
    for index, term in enumerate(pairing.claim):
        if pairing.candidates[index] and term.kind != "char":
            found[term.clause].append(index)
    return found


def _home(pairing: Pairing, index: int) -> int | None:
    """The clause of the source that the term at `index` was found in; where it stands letter by letter, if it does."""
    content, place = pairing.source.content, pairing.places[index]
    own = pairing.claim[index].keys[0]
    if place is not None and content[place].keys[0] != own:
        same = {content[at].clause for at in pairing.candidates[index] if content[at].keys[0] == own}
        if same:
            return same.pop() if len(same) == 1 else None
    return None if place is None else content[place].clause


def _crossed(clauses: Sequence[Sequence[int]], pairing: Pairing) -> bool:
    """Whether two clauses of the claim both take something from the same two clauses of the source."""
    seen: Counter[tuple[int, int]] = Counter()
    for indexes in clauses[:40]:
        homes = sorted({home for index in indexes if (home := _home(pairing, index)) is not None})[:12]
        for at, one in enumerate(homes):
            for two in homes[at + 1 :]:
                seen[one, two] += 1
    return any(count > 1 for count in seen.values())


def _has_a_rival(pairing: Pairing, indexes: Sequence[int]) -> bool:
    """Whether a clause of the source gives the claim a number or name alone, while the clause that gives the rest has
    another one in its place."""
    content = pairing.source.content
    by_clause: dict[int, list[int]] = defaultdict(list)
    for index in indexes:
        if (home := _home(pairing, index)) is not None:
            by_clause[home].append(index)
    if len(by_clause) < 2:
        return False
    return any(
        _takes_the_place(pairing, indexes, by_clause, one, two)
        for one in by_clause
        for two in by_clause
        if one != two and content[_place(pairing, by_clause, two)].clause != one
    )


def _place(pairing: Pairing, by_clause: Mapping[int, Sequence[int]], clause: int) -> int:
    places = pairing.candidates[by_clause[clause][0]]
    return next((at for at in places if pairing.source.content[at].clause == clause), places[0])


def _takes_the_place(
    pairing: Pairing, indexes: Sequence[int], by_clause: Mapping[int, Sequence[int]], home: int, other: int
) -> bool:
    content = pairing.source.content
    given = [
        index
        for index in by_clause[home]
        if not any(content[place].clause == other for place in pairing.candidates[index])
    ]
    kind = "number" if all(pairing.claim[one].kind == "number" for one in given) else "name"
    if not given or not all(is_a(pairing.claim[one], kind) for one in given):
        return False
    if any(pairing.claim[one].keys[0].startswith("month:") for one in given):
        return False
    place, there = _place(pairing, by_clause, home), _place(pairing, by_clause, other)
    chosen = set(pairing.places)
    if kind == "number" and all(at in chosen for at in (place, *pairing.same_clause(place))):
        return False
    taken = {at for index in indexes for at in pairing.candidates[index]}
    rivals = [
        at
        for at in (there, *pairing.same_clause(there))
        if at not in taken and _rival(pairing.claim[given[0]], content[at], kind)
    ]
    return bool(rivals) and not _relative(pairing.source, there, other, place)


def _rival(term: Term, other: Term, kind: str) -> bool:
    if kind == "number":
        return other.kind == "number" and _one_dimension(term.unit, other.unit)
    return is_a(other, "name") and not other.role and not other.keys[0].startswith("month:")


def _one_dimension(unit: str, other: str) -> bool:
    return unit == other or (unit in DIMENSIONS and DIMENSIONS[unit] == DIMENSIONS.get(other))


def _relative(source: IndexedText, place: int, clause: int, name: int) -> bool:
    """Whether the clause around `place` is a relative one right behind the name at `name`."""
    first = place
    while first and source.content[first - 1].clause == clause:
        first -= 1
    start = source.at[first]
    while start and source.all[start - 1].clause == clause:
        start -= 1
    behind = first > name and source.content[first - 1].clause == source.content[name].clause
    return behind and source.all[start].keys[0] in RELATIVE


def _counts_another(pairing: Pairing) -> bool:
    """Whether what a number of the claim counts has another number right before it in the source."""
    said, source = pairing.said, pairing.source
    for index, term in enumerate(pairing.claim[:-1]):
        counted, places = pairing.claim[index + 1], pairing.candidates[index + 1]
        if term.kind != "number" or term.unit or not pairing.candidates[index] or not places:
            continue
        touching = said.at[pairing.first + index + 1] - said.at[pairing.first + index] == 1
        if not touching or counted.keys[0].startswith("month:") or counted.kind not in _COUNTED[source.english]:
            continue
        if all(
            place > pairing.low
            and source.content[place - 1].kind == "number"
            and source.at[place] - source.at[place - 1] == 1
            and not matches(term, source.content[place - 1])
            for place in places
        ):
            return True
    return False

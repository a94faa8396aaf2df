"""Whether two names, two numbers or two words of a claim have changed places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from rag.citing.claims.german_cases import german_exchanged, is_passive, parts_differ
from rag.citing.claims.indexing import IndexedText
from rag.citing.claims.lexicon import BY, OPPOSED, UNITS
from rag.citing.claims.matching import is_a
from rag.citing.claims.pairing import Pairing
from rag.citing.claims.term import Term

_BY = BY | {"by"}
_OF = frozenset({"von", "vom", "da"})
"""Say who did it only in the passive voice, else whose it is."""
_TAKE_OBJECT = frozenset("被由把将將")
_IN_LISTS = frozenset("and or the a an und oder der die das sowie et ou le la les y o el los las & e il".split())  # noqa: SIM905
"""Small words between the names of a list."""
_SPOKEN = ("word", "name")


def exchanged(pairing: Pairing) -> bool:
    """Whether two names, two numbers or two words stand in each other's place."""
    for kind in ("name", "number"):
        groups = _groups(pairing, kind)
        if any(_swapped(pairing, kind, one, two) for one, two in pairwise(groups)):
            return True
    if pairing.source.german and parts_differ(pairing):
        return True
    return _prepositions_exchanged(pairing) or _contexts_exchanged(pairing) or _blocks_exchanged(pairing)


def _prepositions_exchanged(pairing: Pairing) -> bool:
    """Whether two terms have each other's preposition: from A to B, from B to A."""
    changed: dict[tuple[str, str], int] = {}
    content = pairing.source.content
    for index, (term, place) in enumerate(zip(pairing.claim, pairing.places, strict=True)):
        if place is None or term.kind not in _SPOKEN or content[place].kind not in _SPOKEN or _is_month(term):
            continue
        roles = _role(pairing.claim, index, 0), _role(content, place, pairing.low)
        if roles[0] != roles[1]:
            other = changed.get(roles[::-1])
            if roles in OPPOSED or (other is not None and not _are_listed(pairing, other, place)):
                return True
            changed[roles] = place
    return False


def _is_month(term: Term) -> bool:
    return term.keys[0].startswith("month:")


def _groups(pairing: Pairing, kind: str) -> list[int]:
    """Indexes in the claim of the first term of each name or number, names of several words counting once."""
    found: list[int] = []
    for index, term in enumerate(pairing.claim):
        place = pairing.places[index]
        if (
            place is None
            or _is_month(term)
            or (term.keys[0] in UNITS and term.kind == "name")
            or not (is_a(term, kind) and is_a(pairing.source.content[place], kind))
        ):
            continue
        before = pairing.places[index - 1] if index else None
        if kind == "name" and found and is_a(pairing.claim[index - 1], kind) and before is not None:
            touching = pairing.said.at[pairing.first + index] - pairing.said.at[pairing.first + index - 1] == 1
            if touching and place == before + 1:
                continue
        found.append(index)
    return found


def _swapped(pairing: Pairing, kind: str, one: int, two: int) -> bool:
    first, second = pairing.places[one], pairing.places[two]
    if first is None or second is None or first < second:
        return False
    claim, content = pairing.claim, pairing.source.content
    if kind == "number" and claim[one].unit != claim[two].unit:
        return False
    if kind == "number" and any(_is_month(term) for term in claim[one + 1 : two]):
        return False  # a date in another order
    if claim[one].clause != claim[two].clause and content[first].clause != content[second].clause:
        return False
    for index, place in ((one, first), (two, second)):
        if "\u0400" <= claim[index].keys[0][0] <= "\u04ff" and claim[index].keys[0] == content[place].keys[0]:
            return False  # the ending says the part it plays
        role = _role(claim, index, 0)
        if role and role == _role(content, place, pairing.low) and not _both_have(pairing, role, one, two):
            return False
    behind = [
        bool(placed(pairing.said, pairing.first + index)) + bool(placed(pairing.source, place))
        for index, place in ((one, first), (two, second))
    ]
    if sorted(behind) == [0, 2]:
        return False  # one of them stands behind a preposition in both
    passive = [_by(pairing.said, pairing.first + one), _by(pairing.said, pairing.first + two)]
    active = [_by(pairing.source, first), _by(pairing.source, second)]
    if any(passive) != any(active):
        return False
    if kind == "number":
        return not any(_keeps_neighbour(pairing, index) for index in (one, two))
    listed = two - one == 1 or all(is_a(term, kind) for term in claim[one + 1 : two])
    listed = listed and not any(term.role for term in (claim[two], content[first], content[second]))
    small = pairing.said.all[pairing.said.at[pairing.first + one] : pairing.said.at[pairing.first + two]]
    listed = listed and all(term.keys[0] in _IN_LISTS for term in small if term.kind == "light")
    if listed and all(is_a(term, kind) for term in content[second + 1 : first][:50]):
        return False
    return german_exchanged(pairing, one, two) if pairing.source.german else True


def _both_have(pairing: Pairing, role: str, one: int, two: int) -> bool:
    """Whether both stand behind that preposition, so that it does not tell them apart; numbers may."""
    return pairing.claim[one].kind != "number" and all(_role(pairing.claim, at, 0) == role for at in (one, two))


def _contexts_exchanged(pairing: Pairing) -> bool:
    """Whether two terms stand each beside what the other stands beside in the source."""
    claim = pairing.claim
    if _says_by(pairing.said, range(pairing.first, pairing.end)) != _says_by(
        pairing.source, [place for place in pairing.places if place is not None]
    ):
        return False  # the voice has turned the words round
    index_of = {place: index for index, place in enumerate(pairing.places) if place is not None}
    instead: set[tuple[int, int]] = set()
    for index, place in enumerate(pairing.places):
        if place is None or claim[index].kind == "char" or _is_month(claim[index]):
            continue
        if pairing.source.german and claim[index].kind == "word":
            continue  # verbs and adverbs may stand in many places
        for step in (-1, 1):
            beside = pairing.places[index + step] if 0 <= index + step < len(claim) else None
            other = None if beside is None else index_of.get(beside - step)
            if other is None or other in (index, index + step) or claim[other].kind != claim[index].kind:
                continue
            if (other, index) in instead and not _excused(pairing, *sorted((index, other))):
                return True
            instead.add((index, other))
    return False


def _excused(pairing: Pairing, one: int, two: int) -> bool:
    """Whether the two are a list or a date, or prepositions, voice or cases say that each has kept its part."""
    first, second = pairing.places[one], pairing.places[two]
    if first is None or second is None or abs(first - second) == 1:
        return True
    if _are_listed(pairing, first, second):
        return True
    if pairing.claim[one].kind == "number":
        return any(_is_month(term) for term in pairing.claim[one + 1 : two])
    roles = [
        {
            pairing.said.content[_first_of_name(pairing.said, pairing.first + index)].role,
            pairing.source.content[_first_of_name(pairing.source, place)].role,
        }
        for index, place in ((one, first), (two, second))
    ]
    if {""} in roles and any(len(both) == 1 and both != {""} for both in roles):
        return True
    return pairing.source.german and not german_exchanged(pairing, one, two)


def _are_listed(pairing: Pairing, first: int, second: int) -> bool:
    """Whether commas and the like divide all the terms of the source from the one to the other."""
    between = [term.clause for term in pairing.source.content[min(first, second) : max(first, second) + 1]]
    return len(set(between)) == len(between)


def placed(text: IndexedText, position: int) -> str:
    """The preposition before the name at `position`, `by` for all that say who did it; empty where there is none."""
    first = _first_of_name(text, position)
    return text.content[first].role or ("by" if _by(text, first) else "")


def _says_by(text: IndexedText, positions: Iterable[int]) -> bool:
    return any(_by(text, position) for position in positions)


def _first_of_name(text: IndexedText, position: int) -> int:
    while position and text.at[position] - text.at[position - 1] == 1 and is_a(text.content[position - 1], "name"):
        position -= 1
    return position


def _keeps_neighbour(pairing: Pairing, index: int) -> bool:
    """Whether a number stands beside a word that it stands beside in the source, and that is there only once."""
    place = pairing.places[index]
    return place is not None and any(
        0 <= index + step < len(pairing.claim)
        and pairing.candidates[index + step] == [place + step]
        and pairing.claim[index + step].kind != "number"
        for step in (-1, 1)
    )


def _role(content: Sequence[Term], at: int, low: int) -> str:
    own = content[at].role
    if own or at <= low:
        return own
    before = content[at - 1]
    return before.role if before.kind == "word" and before.clause == content[at].clause else ""


def _by(text: IndexedText, position: int) -> bool:
    index = text.at[position] - 1
    while index >= 0 and text.all[index].kind == "light" and text.at[position] - index < 4:
        if text.all[index].keys[-1] in _BY:
            return text.all[index].keys[0] not in _OF or is_passive(text)
        index -= 1
    return False


def _blocks_exchanged(pairing: Pairing) -> bool:
    """The same for scripts without capitals and spaces: stretches of two characters or more in the other order,
    within one clause of both."""
    claim, content = pairing.claim, pairing.source.content
    if any("\u3041" <= term.keys[0][0] <= "\u3096" for term in pairing.said.all):
        return False  # Japanese says with particles what plays which part
    blocks: list[tuple[int, int]] = []
    start = 0
    for index in range(1, len(claim) + 1):
        before = pairing.places[index - 1]
        goes_on = index < len(claim) and before is not None and pairing.places[index] == before + 1
        if not goes_on:
            if claim[start].kind == "char" and index - start >= 2 and before is not None:
                blocks.append((start, before - (index - 1 - start)))
            start = index
    for (one, first), (two, second) in pairwise(blocks):
        same = claim[one].clause == claim[two].clause and content[first].clause == content[second].clause
        if (
            same
            and first > second
            and _taken(pairing.said, pairing.first + one, pairing.first + two) == _taken(pairing.source, second, first)
        ):
            return True
    return False


def _taken(text: IndexedText, one: int, two: int, chars: frozenset[str] = _TAKE_OBJECT) -> bool:
    if two == one + 1:
        return text.at[one] > 0 and text.all[text.at[one] - 1].keys[0] in chars
    return any(term.keys[0] in chars for term in text.all[max(0, text.at[one] - 2) : text.at[two]])

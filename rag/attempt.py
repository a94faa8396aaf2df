"""One claim against one sentence: what must hold for the sentence to say it, checked in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.indexing import POSTINGS, IndexedText
from rag.lexicon import BY
from rag.matching import around, is_a, matches, negations
from rag.terms import Term

_PER_MISSING = 6
_MOST_MISSING = 2
_APART = 5
"""One ordinary word in six may be the claim's own, two at most, and not close to each other."""
_BY = BY | {"by"}
_PLACED = frozenset("在于於从從到向")
_TAKE_OBJECT = frozenset("被由把将將")


@dataclass(frozen=True)
class Aligned:
    """The place of a claim in a text: its character range, and the share of the claim's terms found there, 0 to 1."""

    start: int
    end: int
    share: float


class Attempt:
    """One claim against the terms `low` to `high` of a source: one sentence of it."""

    def __init__(self, said: IndexedText, first: int, end: int, source: IndexedText, low: int, high: int) -> None:
        self._said, self._source = said, source
        self._claim = said.content[first:end]
        self._first = first
        self._local = source.local(low, high)
        self._low, self._high = low, high
        self._candidates: list[list[int]] = []
        self._places_of: list[int | None] = []

    def result(self) -> Aligned | None:
        """The aligned range, if everything that must hold does."""
        for index, term in enumerate(self._claim):
            places = self._places(index)
            strict = term.kind in ("number", "name", "char") or term.polar or term.capital or not term.cased
            if strict and not places:
                return None
            self._candidates.append(places)
        if not self._as_often():
            return None
        self._choose()
        missing = self._missing()
        if missing is None:
            return None
        aligned = sorted({place for place in self._places_of if place is not None})
        if not aligned or aligned[-1] - aligned[0] + 1 > 4 * len(aligned) + 16:
            return None
        if not (self._same_negations(set(aligned)) and self._bound() and not self._exchanged()):
            return None
        start, end = self._range(aligned)
        return Aligned(start, end, 1 - missing / len(self._claim))

    # -- terms ---------------------------------------------------------------------------------------------------

    def _places(self, index: int) -> list[int]:
        term = self._claim[index]
        found: dict[int, None] = {}
        for key in self._said.keys[self._first + index]:
            for place in self._local.get(key, ()):
                if place not in found and matches(term, self._source.content[place]):
                    found[place] = None
        return sorted(found)

    def _as_often(self) -> bool:
        """Whether nothing is said more often than the source has it."""
        often = Counter(
            tuple(places)
            for term, places in zip(self._claim, self._candidates, strict=True)
            if term.kind != "char" and 0 < len(places) < POSTINGS
        )
        return all(count <= len(places) for places, count in often.items())

    def _choose(self) -> None:
        """For each term the place in the source that continues the longest stretch."""
        chosen: list[int | None] = []
        before: int | None = None
        for index, places in enumerate(self._candidates):
            if not places:
                chosen.append(None)
                continue
            if before is not None and before + 1 in places:
                place = before + 1
            else:
                near = before if before is not None else places[0]
                place = max(places, key=lambda at: (self._ahead(index, at), -abs(at - near - 1)))
            chosen.append(place)
            before = place
        self._places_of = min((chosen, self._from_the_end(chosen)), key=_span)

    def _from_the_end(self, chosen: Sequence[int | None]) -> list[int | None]:
        """The same from the last term back, where that keeps them closer together."""
        other = list(chosen)
        after = next((place for place in reversed(other) if place is not None), None)
        for index in range(len(other) - 1, -1, -1):
            places = self._candidates[index]
            if after is None or not places or other[index] == after:
                continue
            wanted = after - 1
            other[index] = after = wanted if wanted in places else _nearest(places, wanted)
        return other

    def _ahead(self, index: int, place: int) -> int:
        length = 1
        while length < 4 and index + length < len(self._claim) and place + length < self._high:
            if not matches(self._claim[index + length], self._source.content[place + length]):
                break
            length += 1
        return length

    def _missing(self) -> float | None:
        """Terms of the claim that the source does not have; None when that is too many."""
        missing: list[int] = []
        for index, (term, place) in enumerate(zip(self._claim, self._places_of, strict=True)):
            if term.kind == "char":
                if not self._in_a_run(index):
                    return None
            elif place is None:
                missing.append(index)
        if len(missing) > min(len(self._claim) // _PER_MISSING, _MOST_MISSING):
            return None
        # A stretch of words of its own is a thing of its own, however long the rest is.
        return None if any(two - one < _APART for one, two in pairwise(missing)) else len(missing)

    def _in_a_run(self, index: int) -> bool:
        """Whether a character is in the source with a neighbour of its own: one alone may belong to any word."""
        term, content = self._claim[index], self._source.content
        neighbours = []
        for step in (-1, 1):
            if 0 <= index + step < len(self._claim):
                other = self._claim[index + step]
                touching = other.end == term.start if step < 0 else term.end == other.start
                if other.kind in ("char", "number") and touching:
                    neighbours.append((step, other))
        if not neighbours or len(term.keys) > 1:
            return True
        for place in self._candidates[index]:
            for step, other in neighbours:
                if self._low <= place + step < self._high and matches(other, content[place + step]):
                    return True
        return False

    # -- negations -----------------------------------------------------------------------------------------------

    def _same_negations(self, aligned: set[int]) -> bool:
        end = self._first + len(self._claim)
        in_claim = [
            {
                place
                for at in scope
                if self._first <= at < end and (place := self._places_of[at - self._first]) is not None
            }
            for _, scope in negations(self._said, self._first, end)
        ]
        in_source = list(negations(self._source, self._low, self._high))
        if any(not scope for scope in in_claim):
            return False
        wide = [narrow | around(self._source, cue) for cue, narrow in in_source]
        for scope in in_claim:
            if not any(scope & other for other in wide):
                return False
        for (_, narrow), other in zip(in_source, wide, strict=True):
            if narrow & aligned and not any(scope & other for scope in in_claim):
                return False
        return True

    # -- what belongs to what ------------------------------------------------------------------------------------

    def _bound(self) -> bool:
        """Each number and name stands in the source with words that it stands with in the claim."""
        aligned = {place for places in self._candidates for place in places}
        for index, term in enumerate(self._claim):
            if not (term.kind == "number" or is_a(term, "name")) or not self._candidates[index]:
                continue
            anchors = self._anchors(index)
            if anchors and not any(self._beside(term, place, anchors, aligned) for place in self._candidates[index]):
                return False
        return True

    def _anchors(self, index: int) -> set[int]:
        """Places in the source of the words that stand in the claim's clause with the term at `index`."""
        clause = self._claim[index].clause
        kinds: tuple[str, ...] = ("word", "char")
        low = high = index
        while low and self._claim[low - 1].clause == clause and index - low < 24:
            low -= 1
        while high + 1 < len(self._claim) and self._claim[high + 1].clause == clause and high - index < 24:
            high += 1
        around = [at for at in range(low, high + 1) if at != index]
        if not any(self._claim[at].kind in kinds for at in around):
            around = [at for at in (index - 1, index + 1) if 0 <= at < len(self._claim)]
            kinds = ("word", "char", "name", "number")
        return {place for at in around if self._claim[at].kind in kinds for place in self._candidates[at]}

    def _beside(self, term: Term, place: int, anchors: set[int], aligned: set[int]) -> bool:
        content = self._source.content
        clause = content[place].clause
        if any(content[anchor].clause == clause for anchor in anchors):
            return True
        alone = not self._others(place, aligned)
        if alone and any(at in aligned for at in self._same_clause(place) if content[at].kind != term.kind):
            return True
        nearest = min(anchors, key=lambda anchor: abs(anchor - place))
        if is_a(term, "name"):
            # Another name at the head of the clause would be its subject.
            rival = any(
                at < nearest and is_a(content[at], "name") and at not in aligned and not content[at].role
                for at in self._same_clause(nearest)
            )
            rival = rival or any(self._heads(at, aligned) for at in range(place + 1, nearest))
            return not rival and (alone or place < nearest)
        between = range(min(place, nearest) + 1, max(place, nearest))
        return alone and not any(content[at].kind == term.kind and at not in aligned for at in between[:200])

    def _heads(self, at: int, aligned: set[int]) -> bool:
        """Whether a name that the claim does not have begins a clause, as its subject does."""
        content = self._source.content
        term = content[at]
        first = content[at - 1].clause != term.clause
        return first and is_a(term, "name") and at not in aligned and not term.role

    def _same_clause(self, place: int) -> list[int]:
        """Other places of the clause of the source around `place`."""
        content, found = self._source.content, []
        for step in (-1, 1):
            at = place + step
            while self._low <= at < self._high and content[at].clause == content[place].clause and abs(at - place) < 24:
                found.append(at)
                at += step
        return found

    def _others(self, place: int, aligned: set[int]) -> bool:
        """Whether the clause of the source around `place` has words of its own that the claim does not have."""
        return any(
            self._source.content[at].kind in ("word", "char") and at not in aligned for at in self._same_clause(place)
        )

    def _exchanged(self) -> bool:
        """Whether two names, two numbers or two words stand in each other's place."""
        for kind in ("name", "number"):
            groups = self._groups(kind)
            if any(self._swapped(kind, one, two) for one, two in pairwise(groups)):
                return True
        return self._blocks_exchanged()

    def _groups(self, kind: str) -> list[int]:
        """Indexes in the claim of the first term of each name or number, names of several words counting once."""
        found: list[int] = []
        for index, term in enumerate(self._claim):
            place = self._places_of[index]
            if (
                place is None
                or term.keys[0].startswith("month:")
                or not (is_a(term, kind) and is_a(self._source.content[place], kind))
            ):
                continue
            before = self._places_of[index - 1] if index else None
            if kind == "name" and found and is_a(self._claim[index - 1], kind) and before is not None:
                touching = self._said.at[self._first + index] - self._said.at[self._first + index - 1] == 1
                if touching and place == before + 1:
                    continue
            found.append(index)
        return found

    def _swapped(self, kind: str, one: int, two: int) -> bool:
        first, second = self._places_of[one], self._places_of[two]
        if first is None or second is None or first < second:
            return False
        claim, content = self._claim, self._source.content
        if kind == "number" and claim[one].unit != claim[two].unit:
            return False
        if kind == "number" and any(term.keys[0].startswith("month:") for term in claim[one + 1 : two]):
            return False  # a date in another order
        if claim[one].clause != claim[two].clause and content[first].clause != content[second].clause:
            return False
        for index, place in ((one, first), (two, second)):
            if "\u0400" <= claim[index].keys[0][0] <= "\u04ff" and claim[index].keys[0] == content[place].keys[0]:
                return False  # the ending says the part it plays
            role = self._role(claim, index, 0)
            if role and role == self._role(content, place, self._low):
                return False
        passive = [self._by(self._said, self._first + one), self._by(self._said, self._first + two)]
        active = [self._by(self._source, first), self._by(self._source, second)]
        if any(passive) != any(active):
            return False
        if kind == "number":
            return not any(self._keeps_neighbour(index) for index in (one, two))
        listed = two - one == 1 or all(is_a(term, kind) for term in claim[one + 1 : two])
        return not (listed and all(is_a(term, kind) for term in content[second + 1 : first][:50]))

    def _keeps_neighbour(self, index: int) -> bool:
        place = self._places_of[index]
        if place is None:
            return False
        after = self._places_of[index + 1] if index + 1 < len(self._claim) else None
        before = self._places_of[index - 1] if index else None
        return (after == place + 1 and self._claim[index + 1].kind != "number") or (
            before == place - 1 and self._claim[index - 1].kind != "number"
        )

    @staticmethod
    def _role(content: Sequence[Term], at: int, low: int) -> str:
        own = content[at].role
        if own or at <= low:
            return own
        before = content[at - 1]
        return before.role if before.kind == "word" and before.clause == content[at].clause else ""

    @staticmethod
    def _by(text: IndexedText, position: int) -> bool:
        index = text.at[position] - 1
        while index >= 0 and text.all[index].kind == "light" and text.at[position] - index < 4:
            if text.all[index].keys[-1] in _BY:
                return True
            index -= 1
        return False

    def _blocks_exchanged(self) -> bool:
        """The same for scripts without capitals and spaces: stretches of two characters or more in the other order,
        within one clause of both."""
        claim, content = self._claim, self._source.content
        if any("\u3041" <= term.keys[0][0] <= "\u3096" for term in self._said.all):
            return False  # Japanese says with particles what plays which part
        blocks: list[tuple[int, int]] = []
        start = 0
        for index in range(1, len(claim) + 1):
            before = self._places_of[index - 1]
            goes_on = index < len(claim) and before is not None and self._places_of[index] == before + 1
            if not goes_on:
                if claim[start].kind == "char" and index - start >= 2 and before is not None:
                    blocks.append((start, before - (index - 1 - start)))
                start = index
        for (one, first), (two, second) in pairwise(blocks):
            same = claim[one].clause == claim[two].clause and content[first].clause == content[second].clause
            if (
                same
                and first > second
                and self._taken(self._said, self._first + one, self._first + two)
                == self._taken(self._source, second, first)
            ):
                return True
        return False

    @staticmethod
    def _taken(text: IndexedText, one: int, two: int, chars: frozenset[str] = _TAKE_OBJECT) -> bool:
        if two == one + 1:
            return text.at[one] > 0 and text.all[text.at[one] - 1].keys[0] in chars
        return any(term.keys[0] in chars for term in text.all[max(0, text.at[one] - 2) : text.at[two]])

    # -- place ---------------------------------------------------------------------------------------------------

    def _range(self, aligned: Sequence[int]) -> tuple[int, int]:
        """From the first to the last aligned term, with the small words of the claim that stand right beside."""
        source = self._source
        small = {key for term in self._said.all if term.kind in ("light", "not") for key in term.keys} | {"sign"}
        low, high = source.at[aligned[0]], source.at[aligned[-1]]
        sentence = source.all[low].sentence
        while low and source.all[low - 1].sentence == sentence and _is_small(source.all[low - 1], small):
            low -= 1
        while (
            high + 1 < len(source.all)
            and source.all[high + 1].sentence == sentence
            and _is_small(source.all[high + 1], small)
        ):
            high += 1
        start, end = source.all[low].start, source.all[high].end
        while end < len(source.text) and source.text[end] in ".!?。！？…%":
            end += 1
        return start, end


def _nearest(places: Sequence[int], wanted: int) -> int:
    return min(places, key=lambda at: abs(at - wanted))


def _span(places: Sequence[int | None]) -> int:
    known = [place for place in places if place is not None]
    return max(known) - min(known) if known else 0


def _is_small(term: Term, small: set[str]) -> bool:
    return term.kind in ("light", "not") and term.keys[0] in small

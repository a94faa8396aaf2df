"""A claim beside one sentence of a passage: for each term of the claim the places where the sentence has it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from rag.citing.claims.indexing import IndexedText
from rag.citing.claims.matching import matches
from rag.citing.claims.term import Term


@dataclass
class Pairing:
    """Terms `first` to before `end` of a claim beside the terms `low` to before `high` of a source, all of them
    positions in `content`. `claim` are those of the claim; `candidates` and `places` go along with it: where the
    source has a term, and the one place that was chosen."""

    said: IndexedText
    first: int
    end: int
    source: IndexedText
    low: int
    high: int
    claim: list[Term] = field(init=False)
    candidates: list[list[int]] = field(default_factory=list)
    places: list[int | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.claim = self.said.content[self.first : self.end]
        local = self.source.local(self.low, self.high)
        self.candidates = [self._found(index, local) for index in range(len(self.claim))]

    @functools.cached_property
    def chosen(self) -> frozenset[int]:
        """The places that were chosen; after `choose` only."""
        return frozenset(place for place in self.places if place is not None)

    @functools.cached_property
    def taken(self) -> frozenset[int]:
        """All places of the source that some term of the claim may have."""
        return frozenset(place for places in self.candidates for place in places)

    def _found(self, index: int, local: dict[str, list[int]]) -> list[int]:
        term, content = self.claim[index], self.source.content
        found: dict[int, None] = {}
        for key in self.said.keys[self.first + index]:
            for place in local.get(key, ()):
                if place not in found and matches(term, content[place]):
                    found[place] = None
        return sorted(found)

    def choose(self) -> None:
        """For each term the place in the source that continues the longest stretch."""
        chosen: list[int | None] = []
        before: int | None = None
        for index, places in enumerate(self.candidates):
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
        self.places = min((chosen, self._from_the_end(chosen)), key=_span)

    def _from_the_end(self, chosen: Sequence[int | None]) -> list[int | None]:
        """The same from the last term back, where that keeps them closer together."""
        other = list(chosen)
        after = next((place for place in reversed(other) if place is not None), None)
        for index in range(len(other) - 1, -1, -1):
            places = self.candidates[index]
            if after is None or not places or other[index] == after:
                continue
            wanted = after - 1
            other[index] = after = wanted if wanted in places else _nearest(places, wanted)
        return other

    def _ahead(self, index: int, place: int) -> int:
        length = 1
        while length < 4 and index + length < len(self.claim) and place + length < self.high:
            if not matches(self.claim[index + length], self.source.content[place + length]):
                break
            length += 1
        return length

    def same_clause(self, place: int) -> list[int]:
        """Other places of the clause of the source around `place`."""
        content, found = self.source.content, []
        for step in (-1, 1):
            at = place + step
            while self.low <= at < self.high and content[at].clause == content[place].clause and abs(at - place) < 24:
                found.append(at)
                at += step
        return found


def _nearest(places: Sequence[int], wanted: int) -> int:
    return min(places, key=lambda at: abs(at - wanted))


def _span(places: Sequence[int | None]) -> int:
    known = [place for place in places if place is not None]
    return max(known) - min(known) if known else 0

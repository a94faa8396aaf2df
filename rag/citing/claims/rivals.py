"""Whether a number or name of a claim has been put in the place of another: a sentence of several parts may have all
the words of a claim, and say of each part something else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from rag.citing.claims.exchange import placed
from rag.citing.claims.indexing import IndexedText
from rag.citing.claims.lexicon import DIMENSIONS, RELATIVE
from rag.citing.claims.matching import is_a, matches
from rag.citing.claims.pairing import Pairing
from rag.citing.claims.roles import is_verb
from rag.citing.claims.term import Term

_COUNTED = {True: ("word", "name"), False: ("name",)}
"""What a number may count, in English and elsewhere, where a verb may stand behind a number."""


def mixed(pairing: Pairing) -> bool:
    """Whether the claim takes a number or name from one part of the sentence and what is said of it from another."""
    clauses = _clauses(pairing)
    if _crossed(list(clauses.values()), pairing):
        return True
    if any(_has_a_rival(pairing, indexes) for indexes in clauses.values()):
        return True
    return _counts_another(pairing) or _in_a_slot(pairing) or _replaces(pairing)


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
    """Whether a clause of the claim is put together from two of the source that say different things."""
    by_clause: dict[int, list[int]] = defaultdict(list)
    for index in indexes:
        if (home := _home(pairing, index)) is not None:
            by_clause[home].append(index)
    homes = sorted(by_clause)[:12]
    for one in homes:
        for two in homes:
            if one != two:
                given = [index for index in by_clause[one] if not _is_in(pairing, index, two)]
                rest = [index for index in by_clause[two] if not _is_in(pairing, index, one)]
                both = _Halves(pairing, indexes, given, rest, one, two)
                if given and rest and (both.in_the_place() or both.of_another_verb() or both.of_a_later_subject()):
                    return True
    return False


def _is_in(pairing: Pairing, index: int, clause: int) -> bool:
    return any(pairing.source.content[place].clause == clause for place in pairing.candidates[index])


class _Halves:
    """A clause of the claim, `indexes`, of which the clause `home` of the source has `given` and the clause `other`
    has `rest`."""

    def __init__(
        self, pairing: Pairing, indexes: Sequence[int], given: list[int], rest: list[int], home: int, other: int
    ) -> None:
        self._pairing, self._given = pairing, given
        self._home_places = self._clause(given, home)
        self._other_places = self._clause(rest, other)
        self._taken = {at for index in indexes for at in pairing.candidates[index]}
        self._home, self._other = home, other

    def _clause(self, indexes: list[int], clause: int) -> list[int]:
        content = self._pairing.source.content
        if not indexes:
            return []
        place = next((at for at in self._pairing.candidates[indexes[0]] if content[at].clause == clause), None)
        return [] if place is None else sorted([place, *self._pairing.same_clause(place)])

    def _rivals(self, term: Term, kind: str) -> bool:
        content = self._pairing.source.content
        taken = self._taken if kind == "number" else self._pairing.taken
        return any(at not in taken and _rival(term, content[at], kind) for at in self._other_places)

    def in_the_place(self) -> bool:
        """A number or name alone, while the other clause has another one in its place."""
        claim = self._pairing.claim
        kind = "number" if all(claim[one].kind == "number" for one in self._given) else "name"
        if not all(is_a(claim[one], kind) and not _is_month(claim[one]) for one in self._given):
            return False
        if kind == "number" and all(at in self._pairing.chosen for at in self._home_places):
            return False
        place = self._pairing.candidates[self._given[0]][0]
        return self._rivals(claim[self._given[0]], kind) and not _relative(
            self._pairing.source, self._other_places[0], self._other, place
        )

    def of_another_verb(self) -> bool:
        """A number, or what stands behind a preposition, of a clause that says something else: such are not shared
        between two clauses as a subject is."""
        pairing = self._pairing
        content = pairing.source.content
        words = [
            at for at in self._home_places if at not in self._pairing.chosen and content[at].kind in ("word", "name")
        ]
        if not words:
            return False
        for index in self._given:
            term, place = pairing.claim[index], pairing.places[index]
            if place is None or _is_month(term):
                continue
            if term.kind == "number" and self._rivals(term, "number"):
                return True
            if self._home < self._other and is_a(term, "name") and self._is_adjunct(index, place):
                return True
        return False

    def _is_adjunct(self, index: int, place: int) -> bool:
        """Whether a name stands behind a preposition in both, and not the same word before it: a part of that one."""
        pairing = self._pairing
        before = placed(pairing.said, pairing.first + index)
        if not before or before != placed(pairing.source, place):
            return False
        first = index
        while first and pairing.places[first - 1] == (pairing.places[first] or 0) - 1:
            first -= 1
        return not any(pairing.claim[at].role for at in range(first + 1, index + 1)) and first == self._name(index)

    def _name(self, index: int) -> int:
        claim, said, first = self._pairing.claim, self._pairing.said, self._pairing.first
        while index and is_a(claim[index - 1], "name") and said.at[first + index] - said.at[first + index - 1] == 1:
            index -= 1
        return index

    def of_a_later_subject(self) -> bool:
        """The subject of a later clause, which goes on with something else."""
        if self._home < self._other:
            return False
        source, places = self._pairing.source, self._home_places
        if source.content[places[0]].role:
            return False
        end = self._first_stretch(places)
        behind = places[end:]
        given = {self._pairing.places[index] for index in self._given}
        whole = places[0] in self._pairing.chosen and given <= set(places[:end])
        return whole and bool(behind) and not any(at in self._pairing.chosen for at in behind)

    def _first_stretch(self, places: list[int]) -> int:
        """How many of the first places no small word divides, and the claim has."""
        source = self._pairing.source
        end = 1
        while end < len(places) and source.at[places[end]] - source.at[places[end - 1]] == 1:
            if places[end] not in self._pairing.chosen:
                break
            end += 1
        return end


def _is_month(term: Term) -> bool:
    return term.keys[0].startswith("month:")


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
    behind = behind and not any(
        is_a(source.content[at], "name") and not is_a(source.content[at - 1], "name") for at in range(name + 1, first)
    )
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


def _in_a_slot(pairing: Pairing) -> bool:
    """Whether a word stands right before another where the source has a different word: the push command for the save
    command."""
    said, source = pairing.said, pairing.source
    chosen = pairing.chosen
    for index, term in enumerate(pairing.claim[:-1]):
        behind = pairing.places[index + 1]
        touching = said.at[pairing.first + index + 1] - said.at[pairing.first + index] == 1
        if (
            behind is None
            or not touching
            or pairing.claim[index + 1].kind != "word"
            or term.kind not in ("word", "name")
        ):
            continue
        if term.clause != pairing.claim[index + 1].clause or source.content[behind].kind != "word":
            continue
        before = behind - 1
        if before < pairing.low or source.at[behind] - source.at[before] > 1:
            continue
        rival = source.content[before]
        compound = not said.text[term.end : pairing.claim[index + 1].start].isspace()  # skipped.txt
        verbs = any(is_verb(source, at, pairing.low, pairing.high) for at in (before, behind))
        here = pairing.first + index
        verbs = verbs or any(is_verb(said, at, pairing.first, pairing.end) for at in (here, here + 1))
        if verbs and not compound:
            continue
        if before in chosen or rival.kind not in ("word", "name") or rival.clause != source.content[behind].clause:
            continue
        if pairing.places[index] is None or not _in_one_stretch(source, pairing.places[index], behind):
            return True
    return False


def _in_one_stretch(source: IndexedText, one: int | None, two: int) -> bool:
    """Whether no small word stands between the two, `one` before `two`."""
    return one is not None and one < two and source.at[two] - source.at[one] == two - one


def _replaces(pairing: Pairing) -> bool:
    """Whether a word of the claim's own stands where the source has another: files are included, files are left out."""
    content, places = pairing.source.content, pairing.places
    chosen = pairing.chosen
    for index in range(1, len(places) - 1):
        before, behind = places[index - 1], places[index + 1]
        if places[index] is not None or pairing.candidates[index] or before is None or behind != before + 2:
            continue
        if before + 1 not in chosen and content[before + 1].kind == "word" and pairing.claim[index].kind == "word":
            return True
    return False

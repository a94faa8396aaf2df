"""What a pronoun stands for: a claim names its subject, and the sentence that bears it out says *it*. The subject is
looked for in the sentences before, and counted as said there."""

from __future__ import annotations

from rag.citing.claims.indexing import IndexedText
from rag.citing.claims.lexicon import BE, PERSONS, PRONOUNS
from rag.citing.claims.matching import is_a, matches
from rag.citing.claims.pairing import Pairing
from rag.citing.claims.term import Term

_LONGEST = 4
"""Terms that a pronoun may stand for."""
_BACK = 3
"""Sentences before that are looked at; those that begin with a pronoun themselves do not count, up to twice as many."""
_TOPIC = 4
"""Terms at the beginning of a sentence that may be what it is about."""
_JOINING = frozenset({"and", "but", "und", "aber"})
_POSSESSIVE = frozenset({"its", "his", "their", "ihr", "sein"})
_OF = frozenset({"of", "von", "vom", "des", "der"})
_ARTICLES = frozenset({"der", "die", "das", "ein", "eine"})
_TITLES = {"frau": "sie", "herr": "er", "herrn": "er"}
_GENDERS = {
    "es": frozenset({"das", "ein", "dem", "des", "kein"}),
    "er": frozenset({"der", "ein", "den", "dem", "einen", "einem"}),
    "sie": frozenset({"die", "eine", "der", "einer", "ihre", "seine"}),
    "ihr": frozenset({"die", "eine", "der", "einer"}),
    "sein": frozenset({"der", "das", "ein", "den", "dem", "des"}),
}


def said_before(pairing: Pairing) -> frozenset[int]:
    """Indexes of the claim's terms that the sentence has as a pronoun, and one of the sentences before in full: one
    stretch of the claim, while the sentence itself has the rest."""
    run = _lacking(pairing)
    if not run or len(pairing.claim) - len(run) < 2:
        return frozenset()
    pronouns = _pronouns(pairing, run)
    if not pronouns or _in_a_filled_slot(pairing, run) or _stands_for_another(pairing, run, pronouns):
        return frozenset()
    terms = [pairing.claim[index] for index in run]
    source = pairing.source
    sentence = source.content[pairing.low].sentence
    looked = 0
    for earlier in range(sentence - 1, max(-1, sentence - 1 - 2 * _BACK), -1):
        low, high = source.bounds[earlier]
        places = _all_found(terms, source, low, high)
        if places and _may_be_meant(source, places, low, pronouns):
            return frozenset(run)
        looked += not _begins_with_a_pronoun(source, low, high)
        if looked >= _BACK or (looked and any(is_a(term, "name") for term in terms) and _names(source, low, high)):
            break
    return frozenset()


def _lacking(pairing: Pairing) -> list[int]:
    """The longest stretch of the claim that the sentence does not have."""
    longest: list[int] = []
    run: list[int] = []
    for index, (term, places) in enumerate(zip(pairing.claim, pairing.candidates, strict=True)):
        going_on = run and run[-1] == index - 1 and pairing.claim[run[-1]].clause == term.clause
        run = ([*run, index] if going_on else [index]) if not places else []
        if len(run) > len(longest):
            longest = run
    if len(longest) > _LONGEST or any(pairing.claim[index].kind in ("number", "char") for index in longest):
        return []
    return longest


def _pronouns(pairing: Pairing, run: list[int]) -> frozenset[str]:
    """Pronouns that may stand for the stretch `run` of the claim: those of the clauses of the sentence that the claim
    has words of, or of the one whose subject goes on there; a possessive one for a possessor only, one behind the verb
    for no subject."""
    source = pairing.source
    clauses = {source.content[place].clause for places in pairing.candidates for place in places}
    low = source.at[pairing.low]
    while low and source.all[low - 1].sentence == source.all[low].sentence:
        low -= 1
    said = source.all[low : source.at[pairing.high - 1] + 4]
    clauses |= {term.clause - 1 for term in said if term.clause in clauses and term.keys[0] in _JOINING}
    own = {term.keys[0] for term in pairing.said.all[: pairing.said.at[pairing.end - 1]]}
    possessor, subject = _is_possessor(pairing, run), _is_subject(pairing, run)
    found, begun = set(), -1
    for term in said:
        key = term.keys[0]
        if term.kind == "light" and key in PRONOUNS and key not in own and term.clause in clauses:
            behind_verb = begun == term.clause and not source.german
            if possessor or not (_bare(key) in _POSSESSIVE or (subject and behind_verb)):
                found.add(key)
        if term.kind not in ("light", "not"):
            begun = term.clause
    return frozenset(found)


def _in_a_filled_slot(pairing: Pairing, run: list[int]) -> bool:
    """Whether the source has something else of its own where the claim has the stretch: right behind the word before
    it, or right before the word behind it."""
    source = pairing.source
    taken = pairing.taken
    for index, step in ((run[0] - 1, 1), (run[-1] + 1, -1)):
        if not 0 <= index < len(pairing.claim) or pairing.claim[index].clause != pairing.claim[run[0]].clause:
            continue
        places = pairing.candidates[index]
        if places and all(_filled(source, pairing, place, step, taken) for place in places):
            return True
    return False


def _filled(source: IndexedText, pairing: Pairing, place: int, step: int, taken: frozenset[int]) -> bool:
    at = place + step
    for _ in range(2 if step < 0 else 1):  # a verb may stand between the pronoun and what is said
        if not pairing.low <= at < pairing.high or source.content[at].clause != source.content[place].clause:
            return False
        low, high = sorted((source.at[place], source.at[at]))
        if at in taken or source.content[at].role or any(term.keys[0] in PRONOUNS for term in source.all[low:high]):
            return False
        at += step
    before = source.all[max(0, source.at[at + 1] - 3) : source.at[at + 1]] if step < 0 else []
    return not any(term.keys[0] in PRONOUNS for term in before)


def _stands_for_another(pairing: Pairing, run: list[int], pronouns: frozenset[str]) -> bool:
    """Whether the sentence names somebody of its own before the pronoun, whom the claim does not."""
    if not (is_a(pairing.claim[run[-1]], "name") or pronouns & PERSONS):
        return False
    source = pairing.source
    taken = pairing.taken
    for at in range(pairing.low, pairing.high):
        if any(term.keys[0] in pronouns for term in source.all[max(0, source.at[at] - 3) : source.at[at]]):
            return False
        term = source.content[at]
        if is_a(term, "name") and not term.role and at not in taken and not term.keys[0].startswith("month:"):
            return True
    return False


def _is_possessor(pairing: Pairing, run: list[int]) -> bool:
    last = pairing.claim[run[-1]]
    behind = pairing.said.text[last.end : last.end + 2]
    return behind in ("'s", "’s", "s'", "s’") or pairing.claim[run[0]].role in _OF or _belongs(pairing, run)


def _belongs(pairing: Pairing, run: list[int]) -> bool:
    """Whether the stretch stands right before another word, as in `the bakery's bread`, or behind `von`."""
    at = pairing.said.at[pairing.first + run[0]]
    return at > 0 and pairing.said.all[at - 1].keys[0] in _OF


def _is_subject(pairing: Pairing, run: list[int]) -> bool:
    """Whether the stretch begins its clause of the claim, in the active voice."""
    first = run[0] == 0 or pairing.claim[run[0] - 1].clause != pairing.claim[run[0]].clause
    at = pairing.said.at[pairing.first + run[-1]]
    return first and not any(term.keys[0] in BE for term in pairing.said.all[at + 1 : at + 4])


def _all_found(terms: list[Term], source: IndexedText, low: int, high: int) -> list[int]:
    """Places of all the terms in that sentence, empty where one is not there."""
    found = []
    for term in terms:
        place = next((at for at in range(low, min(high, low + 60)) if matches(term, source.content[at])), None)
        if place is None:
            return []
        found.append(place)
    return found


def _may_be_meant(source: IndexedText, places: list[int], low: int, pronouns: frozenset[str]) -> bool:
    """Whether a pronoun can stand for the term at the last of `places`: a name that the sentence begins with, a thing
    that stands behind no preposition, in German of the same gender."""
    head = source.content[places[-1]]
    start = places[0]
    if source.german:
        if head.capital and _TITLES.get(source.content[start].keys[0], "") in {_bare(one) for one in pronouns}:
            return True
        said = {article for pronoun in pronouns for article in _GENDERS.get(_bare(pronoun), ())}
        before = [term.keys[0] for term in source.all[max(0, source.at[start] - 2) : source.at[start]]]
        bare = start == low and not any(one in _ARTICLES for one in before)
        return not source.content[start].role and (bare or any(one in said for one in before))
    if is_a(head, "name") or pronouns & PERSONS:
        ahead = [at for at in range(low, start) if not _behind_a_preposition(source, at, low)]
        names = [at for at in ahead if is_a(source.content[at], "name") and at not in places]
        beside = names and places[0] - names[-1] == 1
        return len(ahead) < _TOPIC and (not names or bool(beside)) and not source.content[start].role
    return True


def _bare(pronoun: str) -> str:
    for stem in ("ihr", "sein"):
        if pronoun.startswith(stem):
            return stem
    return pronoun


def _behind_a_preposition(source: IndexedText, at: int, low: int) -> bool:
    while (
        at > low
        and source.at[at] - source.at[at - 1] == 1
        and source.content[at - 1].clause == source.content[at].clause
    ):
        if source.content[at].role:
            return True
        at -= 1
    return bool(source.content[at].role)


def _begins_with_a_pronoun(source: IndexedText, low: int, high: int) -> bool:
    if low >= high:
        return True
    first = source.at[low]
    while first and source.all[first - 1].sentence == source.all[first].sentence:
        first -= 1
    return source.all[first].keys[0] in PRONOUNS


def _names(source: IndexedText, low: int, high: int) -> bool:
    """Whether the sentence begins with a name, which a pronoun behind it would stand for."""
    return not _begins_with_a_pronoun(source, low, high) and any(
        source.content[at].kind == "name" and not source.content[at].role for at in range(low, min(high, low + _TOPIC))
    )

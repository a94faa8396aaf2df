"""Who does what to whom, in English: the word before a verb is its subject and the one behind it the object, and the
passive voice turns them round. Read without a grammar, so that only what is plain to see counts: where a claim and a
sentence plainly have different words in one part, the claim says something else."""

from __future__ import annotations

from dataclasses import dataclass

from rag.citing.claims.indexing import IndexedText
from rag.citing.claims.lexicon import AUXILIARIES, BE, DETERMINERS, ROOTS
from rag.citing.claims.matching import is_a
from rag.citing.claims.pairing import Pairing
from rag.citing.claims.term import Term

_BY = frozenset({"by"})
_THEY = frozenset({"he", "she", "it", "they"})
_RELATIVE = frozenset({"which", "who", "that"})
_JOINING = frozenset({"and", "but", "then"})
_COMPARING = frozenset({"most", "least"})
_SUBORDINATING = frozenset({"after", "before", "until", "since", "as", "than", "when", "while"})
_FEW = 12
"""Terms on each side of a verb that are read."""


@dataclass(frozen=True)
class Parts:
    """Positions in `content` of who acts and of what is acted on; empty where it cannot be told."""

    agent: frozenset[int]
    patient: frozenset[int]
    passive: bool
    pronoun: bool
    """Whether the subject is a pronoun."""

    @property
    def subject(self) -> frozenset[int]:
        """What stands before the verb."""
        return self.patient if self.passive else self.agent


_NOBODY: frozenset[int] = frozenset()


def roles_exchanged(pairing: Pairing) -> bool:
    """Whether a verb of the claim plainly has another subject or object in the source."""
    if not (pairing.source.english and any(term.kind == "word" for term in pairing.claim)):
        return False
    for index, place in enumerate(pairing.places):
        if place is None or not is_verb(pairing.source, place, pairing.low, pairing.high):
            continue
        verb = pairing.first + index
        if pairing.claim[index].kind == "word" and not pairing.claim[index].capital and _differ(pairing, verb, place):
            return True
    return False


def _differ(pairing: Pairing, verb: int, place: int) -> bool:
    in_claim = parts(pairing.said, verb, pairing.first, pairing.end)
    in_source = parts(pairing.source, place, pairing.low, pairing.high)
    agent, patient = _places(pairing, in_claim.agent), _places(pairing, in_claim.patient)
    if agent & in_source.patient and not agent & in_source.agent:
        return True
    known = (in_source.agent and in_source.patient) or (agent and patient)
    if known and patient & in_source.agent and not patient & in_source.patient:
        return True
    if agent and in_source.agent and not agent & in_source.agent:
        return True
    same_voice = in_claim.passive == in_source.passive
    if same_voice and in_claim.passive and patient and in_source.patient and not patient & in_source.patient:
        return True
    # A pronoun does not stand for what is named only behind it.
    subject = _places(pairing, in_claim.subject)
    if not (same_voice and in_source.pronoun and subject):
        return False
    return min(subject) > place or _is_another_name(pairing, subject)


def _is_another_name(pairing: Pairing, subject: frozenset[int]) -> bool:
    """Whether the subject is a name, and not the first one of the sentence, which a pronoun behind it stands for."""
    content = pairing.source.content
    names = [at for at in range(pairing.low, min(subject) + 1) if is_a(content[at], "name") and not content[at].role]
    return is_a(content[min(subject)], "name") and bool(names) and names[0] not in subject


def parts(text: IndexedText, verb: int, low: int, high: int) -> Parts:
    """Who acts and what is acted on, at the verb at `verb` of the sentence `low` to before `high`."""
    left, right = _before(text, verb, low), _behind(text, verb, high)
    pronoun = not left and _is_pronoun_before(text, verb, low)
    if not left and not pronoun:
        left = _shared(text, verb, low)
    if not _passive(text, verb, low):
        return Parts(left, right if not _role(text, right) else _NOBODY, passive=False, pronoun=pronoun)
    agent = _NOBODY
    at = verb + 1
    while at < min(high, verb + _FEW) and text.content[at].clause == text.content[verb].clause:
        if any(term.keys[0] in _BY for term in _small_before(text, at, verb)):
            agent = _stretch(text, at, high)
            break
        at += 1
    if _replaced(text.content[verb]) and not agent and _role(text, right) == "with":
        agent = right
    return Parts(agent, left, passive=True, pronoun=pronoun)


def _is_pronoun_before(text: IndexedText, verb: int, low: int) -> bool:
    clause = text.content[verb].clause
    at = verb
    while at > low and text.content[at - 1].clause == clause:
        at -= 1
    return any(term.keys[0] in _THEY and term.clause == clause for term in _small_before(text, at, low))


def _shared(text: IndexedText, verb: int, low: int) -> frozenset[int]:
    """The subject of a clause that names none: of a relative clause what stands right before it, behind `and` and `but`
    the subject of the verb before."""
    at = verb
    while at > low and text.content[at - 1].clause == text.content[verb].clause:
        at -= 1
    if at == low or at != verb:
        return _NOBODY
    opens = {term.keys[0] for term in _small_before(text, at, low)}
    if opens & _RELATIVE:
        end = at
        while end > max(low, at - _FEW) and text.content[end - 1].kind == "number":
            end -= 1
        found = _stretch_before(text, end, low) if end > low else _NOBODY
        return _named(text, found)
    if opens & _JOINING:
        for before in range(at - 1, max(low, at - _FEW) - 1, -1):
            if is_verb(text, before, low, at):
                return _before(text, before, low) or _shared(text, before, low)
    return _NOBODY


def _replaced(term: Term) -> bool:
    return term.keys[0].startswith("replac")


def _places(pairing: Pairing, positions: frozenset[int]) -> frozenset[int]:
    return frozenset(place for at in positions for place in pairing.candidates[at - pairing.first])


def _small_before(text: IndexedText, at: int, low: int) -> list[Term]:
    """The small words between the term at `at` and the one before it."""
    end = text.at[at]
    start = text.at[at - 1] + 1 if at > low else max(0, end - 4)
    sentence = text.all[end].sentence
    return [term for term in text.all[start:end] if term.sentence == sentence]


def _begins(text: IndexedText, at: int, low: int) -> bool:
    """Whether a stretch of words begins here that no small word and no comma divides."""
    if at <= low or text.content[at - 1].clause != text.content[at].clause:
        return True
    return text.content[at].role == text.content[at].keys[0] or bool(_small_before(text, at, low))


def _stretch(text: IndexedText, at: int, high: int) -> frozenset[int]:
    end = at + 1
    while end < min(high, at + _FEW) and not _begins(text, end, at) and not is_verb(text, end, at, high):
        end += 1
    return frozenset(range(at, end))


def _role(text: IndexedText, positions: frozenset[int]) -> str:
    return text.content[min(positions)].role if positions else ""


def _before(text: IndexedText, verb: int, low: int) -> frozenset[int]:
    """The subject: the words before the verb, but for those behind a preposition. Of a relative clause only a name."""
    if verb > low and any(term.keys[0] in _RELATIVE for term in _small_before(text, verb, low)):
        return _named(text, _stretch_before(text, verb, low))
    at = verb - 1
    while at >= max(low, verb - _FEW) and text.content[at].clause == text.content[verb].clause:
        start = at
        while start > max(low, verb - _FEW) and not _begins(text, start, low):
            start -= 1
        if any(term.keys[0] in _THEY for term in _small_before(text, at + 1, low)):
            return _NOBODY
        role = text.content[start].role if text.content[start].keys[0] not in _COMPARING else ""
        opens = {term.keys[0] for term in _small_before(text, start, low)}
        if opens & _BY and not role:
            role = "by"
        if not role or (at == verb - 1 and role in _SUBORDINATING):
            found = range(start, at + 1)
            if any(is_verb(text, one, low, at + 1) for one in found):
                return _NOBODY
            joined = start > low and opens & {"and", "or"} and text.content[start - 1].clause != text.content[at].clause
            return frozenset(found) | (_stretch_before(text, start, low) if joined else _NOBODY)
        at = start - 1
    return _NOBODY


def _named(text: IndexedText, found: frozenset[int]) -> frozenset[int]:
    return found if any(is_a(text.content[one], "name") for one in found) else _NOBODY


def _stretch_before(text: IndexedText, at: int, low: int) -> frozenset[int]:
    start = at - 1
    while start > max(low, at - _FEW) and not _begins(text, start, low):
        start -= 1
    return frozenset(range(start, at))


def _behind(text: IndexedText, verb: int, high: int) -> frozenset[int]:
    at = verb + 1
    if at >= high or text.content[at].clause != text.content[verb].clause:
        return _NOBODY
    return _stretch(text, at, high)


def _passive(text: IndexedText, verb: int, low: int) -> bool:
    at = verb
    if at > low and text.content[at - 1].keys[0].endswith("ly") and not _small_before(text, at, low):
        at -= 1
    said = [term.keys[0] for term in _small_before(text, at, low)]
    if "to" in said:
        said = said[said.index("to") :]
    if any(one in BE for one in said):
        return not _spelt(text, verb).endswith("ing")
    behind = text.all[text.at[verb] + 1 : text.at[verb] + 2]
    return bool(behind) and behind[0].keys[0] in _BY


def _spelt(text: IndexedText, at: int) -> str:
    term = text.content[at]
    return text.text[term.start : term.end].lower()


def is_verb(text: IndexedText, at: int, low: int, high: int) -> bool:
    """Whether a word is plainly a verb: behind an auxiliary, a past form, or an `-s` between two nouns."""
    term = text.content[at]
    if term.kind != "word" or term.capital:
        return False
    before = [one.keys[0] for one in _small_before(text, at, low)]
    if before and before[-1] in DETERMINERS:
        return False
    spelt = _spelt(text, at)
    past = spelt.endswith("ed") or spelt in ROOTS
    if any(one in AUXILIARIES or one in BE for one in before):
        pronoun = any(one in _THEY or one in _RELATIVE for one in before)
        return past or (pronoun and spelt.endswith("s")) or at + 1 >= high or _begins(text, at + 1, low)
    if past:
        return not term.role
    if not spelt.endswith("s") or spelt.endswith("ss") or before or at == low:
        return False
    begins = at + 1 < high and text.content[at + 1].clause == term.clause
    begins = begins and (_begins(text, at + 1, low) or text.content[at + 1].kind == "number")
    behind = {one.keys[0] for one in _small_before(text, at + 1, low)} if begins else set()
    if behind & DETERMINERS:
        return True
    article = any(one.keys[0] in DETERMINERS for one in _small_before(text, at - 1, low))
    return (
        article
        and not _spelt(text, at - 1).endswith("s")
        and not behind & (AUXILIARIES | BE)
        and (begins or at + 1 >= high)
    )

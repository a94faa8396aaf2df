"""Which noun of a German sentence is its subject, as far as articles and the number of the verb tell: either may stand
first."""

from __future__ import annotations

from typing import Literal

from rag.claims.indexing import IndexedText
from rag.claims.pairing import Pairing
from rag.claims.term import Term

Part = Literal["subject", "object", ""]

_OBJECT = frozenset(
    "den dem des einen einem eines keinen keinem diesen diesem ihren ihrem seinen seinem jeden jedem welchen "  # noqa: SIM905
    "unseren unserem".split()
)
_SUBJECT = frozenset({"der", "er", "dieser", "jeder"})
_PASSIVE = frozenset({"wurde", "wurden", "wird", "werden", "worden"})
_FAR = 6


def german_exchanged(pairing: Pairing, one: int, two: int) -> bool:
    """Whether two nouns of the claim, `one` before `two`, that the source has in the other order have changed parts.
    Where nothing tells, the first is taken for the subject."""
    said, source = pairing.said, pairing.source
    first, second = pairing.places[one], pairing.places[two]
    if first is None or second is None:
        return False
    claimed = [part(said, pairing.first + at, pairing.first) for at in (one, two)]
    there = [part(source, at, pairing.low) for at in (first, second)]
    if any(mine == other != "" for mine, other in zip(claimed, there, strict=True)):
        return False
    if _only_one_agrees(pairing, one, two):
        return False
    starts_with_object = claimed[0] == "object" or claimed[1] == "subject"
    source_starts_with_object = there[1] == "object" or there[0] == "subject"
    return starts_with_object == source_starts_with_object


def parts_differ(pairing: Pairing) -> bool:
    """Whether a noun that is plainly the object in one of the two is plainly the subject in the other."""
    if _is_passive(pairing.said) or _is_passive(pairing.source):
        return False
    for index, place in enumerate(pairing.places):
        if place is None or not pairing.claim[index].capital:
            continue
        both = part(pairing.said, pairing.first + index, pairing.first), part(pairing.source, place, pairing.low)
        if "" not in both and both[0] != both[1]:
            return True
    return False


def part(text: IndexedText, at: int, low: int) -> Part:
    """What the article before a noun says of its part in the sentence; nothing behind a preposition."""
    start = at
    while start > low and at - start < _FAR and text.at[start] - text.at[start - 1] == 1:
        if text.content[start - 1].clause != text.content[at].clause or text.content[start - 1].capital:
            break
        start -= 1
    if text.content[start].role or text.at[start] == 0:
        return ""
    article = text.all[text.at[start] - 1]
    if article.kind not in ("light", "not") or article.clause != text.content[at].clause:
        return ""
    if article.keys[0] in _OBJECT:
        return "object"
    first = text.at[start] < 2 or text.all[text.at[start] - 2].clause != article.clause
    return "subject" if article.keys[0] in _SUBJECT and (first or start == low) else ""


def _is_passive(text: IndexedText) -> bool:
    return any(term.keys[0] in _PASSIVE for term in text.all[:400])


def _only_one_agrees(pairing: Pairing, one: int, two: int) -> bool:
    """Whether the verb between the two is singular and one of them counted, so that it cannot be the subject."""
    verbs = [term for term in pairing.claim[one + 1 : two] if term.kind == "word" and not term.capital]
    if not any(term.keys[-1].endswith("t") for term in verbs):
        return False
    return _counted(pairing.claim, one) != _counted(pairing.claim, two)


def _counted(content: list[Term], at: int) -> bool:
    before = content[max(0, at - 2) : at]
    return any(term.kind == "number" and term.keys[0] != "1" for term in before)

"""Which noun of a German sentence is its subject, as far as articles and the number of the verb tell: either may stand
first."""

from __future__ import annotations

from typing import Literal

from rag.citing.claims.indexing import IndexedText
from rag.citing.claims.pairing import Pairing

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
    if is_passive(pairing.said) or is_passive(pairing.source):
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
    if article.keys[0] not in _SUBJECT:
        return ""
    before = text.all[text.at[start] - 2] if text.at[start] > 1 else None
    first = before is None or start == low or before.clause != article.clause
    # Behind a noun `der` is a genitive.
    return "subject" if first or (before is not None and before.kind == "word" and not before.capital) else ""


def is_passive(text: IndexedText) -> bool:
    """Whether a German text has a verb in the passive voice."""
    return any(term.keys[0] in _PASSIVE for term in text.all[:400])


def _only_one_agrees(pairing: Pairing, one: int, two: int) -> bool:
    """Whether the verb between the two is singular and one of them counted, so that it cannot be the subject."""
    verbs = [
        pairing.said.text[term.start : term.end]
        for term in pairing.claim[one + 1 : two]
        if term.kind == "word" and not term.capital
    ]
    if not any(verb.endswith(("t", "te", "ieb", "ahm", "ess", "ing", "and", "uf", "am")) for verb in verbs):
        return False
    return _plural(pairing, one) != _plural(pairing, two)


def _plural(pairing: Pairing, index: int) -> bool:
    """Whether a noun is counted, or has `die` before it and the ending of a plural."""
    said, at = pairing.said, pairing.first + index
    before = pairing.claim[max(0, index - 2) : index]
    if any(term.kind == "number" and term.keys[0] != "1" for term in before):
        return True
    term = said.content[at]
    article = said.all[said.at[at] - 1].keys[0] if said.at[at] else ""
    return article == "die" and said.text[term.start : term.end].endswith("en")

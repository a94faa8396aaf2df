"""Does a passage say what a claim says? Its words, numbers, names and negations are looked for in one sentence of the
passage, and the place that holds them is given back. No model, deterministic, linear in the length of both texts.

What must hold, in the order checked: every number with its unit and comparison, every name, every word that turns a
claim around, nearly all other words, the same negations, each number and name beside the words it stands with in the
claim, and no two of them exchanged. A paraphrase may change order, inflection and small words, drop a clause, or turn
active into passive.
"""

from __future__ import annotations

import heapq
from collections import Counter

from rag.citing.claims.attempt import Aligned, attempt
from rag.citing.claims.indexing import IndexedText, indexed, voting_keys
from rag.citing.claims.lexicon import PRONOUNS
from rag.citing.claims.pairing import Pairing

_LONGEST = 500
"""Terms of the longest claim that is checked."""
_TRIED = 4
"""Sentences of a passage that are tried, those with most of the claim's terms first."""


def align(claim: str, text: str) -> Aligned | None:
    """Where `text` says what `claim` says; None where it does not, or where the claim says nothing that can be checked.

    `start` and `end` count characters of `text`, end exclusive, from the first to the last aligned word.
    """
    said = indexed(claim)
    if not said.content:
        return _verbatim(claim, text)
    if len(said.content) > _LONGEST:
        return None
    source = indexed(text)
    whole = _best(said, 0, len(said.content), source)
    if whole:
        return whole
    return _two_sentences(said, source)


def _verbatim(claim: str, text: str) -> Aligned | None:
    """A claim of small words alone is said only where it stands as it is."""
    bare = claim.strip(" \t\n.!?,;:\"'“”„«»*")
    start = text.find(bare)
    if (
        len(bare.split()) < 3
        or start < 0
        or text[start - 1 : start].isalnum()
        or text[start + len(bare) :][:1].isalnum()
    ):
        return None
    return Aligned(start, start + len(bare), 1.0)


def _ranked(said: IndexedText, first: int, end: int, source: IndexedText) -> list[int]:
    """Sentences of the source that may say the claim, those with most of its terms first."""
    votes: Counter[int] = Counter()
    for position in range(first, end):
        keys = voting_keys(said, position)
        if len(keys) == 1:
            votes.update(source.sentence_of.get(keys[0], ()))
        else:
            votes.update({sentence for key in keys for sentence in source.sentence_of.get(key, ())})
    least = 0.5 * (end - first) if said.content[first].kind != "char" else 1
    found = [(-count, sentence) for sentence, count in votes.items() if count >= least]
    return [sentence for _, sentence in heapq.nsmallest(_TRIED, found)]


def _best(said: IndexedText, first: int, end: int, source: IndexedText) -> Aligned | None:
    best: Aligned | None = None
    for sentence in _ranked(said, first, end, source):
        found = attempt(Pairing(said, first, end, source, *source.bounds[sentence]))
        if found and (best is None or (found.share, best.end - best.start) > (best.share, found.end - found.start)):
            best = found
    return best


def _two_sentences(said: IndexedText, source: IndexedText) -> Aligned | None:
    """A claim that joins two sentences which follow each other: each part is said in one of them."""
    borders = [
        position
        for position in range(2, min(len(said.content) - 1, 200))
        if said.content[position].clause != said.content[position - 1].clause
    ][:6]
    for border in borders:
        one = _best(said, 0, border, source)
        two = _best(said, border, len(said.content), source) if one else None
        if one is None or two is None:
            continue
        left, right = _sentence_at(source, one.start), _sentence_at(source, two.start)
        if right - left != 1 or not _same_subject(source, right, two):
            continue
        return Aligned(min(one.start, two.start), max(one.end, two.end), min(one.share, two.share))
    return None


def _sentence_at(source: IndexedText, start: int) -> int:
    return next((term.sentence for term in source.all if term.end > start), -1)


def _same_subject(source: IndexedText, sentence: int, found: Aligned) -> bool:
    """Whether the later of two joined sentences begins with what is aligned, or with a pronoun."""
    first = next((term for term in source.all if term.sentence == sentence), None)
    if first is None:
        return False
    return (
        first.keys[0] in PRONOUNS
        or found.start <= first.start
        or (
            first.kind == "light"
            and not any(term.start >= first.start and term.end <= found.start for term in source.content)
        )
    )

"""When two terms say the same, and what a negation denies."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from rag.indexing import IndexedText
from rag.terms import Term

_PRECEDING = frozenset("without ohne sans sin sem senza zonder без بدون دون".split())  # noqa: SIM905
_FOLLOWING = frozenset("pas plus jamais rien".split())  # noqa: SIM905


def matches(term: Term, other: Term) -> bool:
    """Whether two terms say the same: a number with its unit and comparison, a name, a word in any inflection."""
    if term.kind == "number" or other.kind == "number":
        return _numbers_match(term, other)
    if term.kind == "char" or other.kind == "char":
        return bool(set(term.keys) & set(other.keys))
    if term.kind == "name" and term.capital and other.cased and not (other.capital or other.kind == "name"):
        return False
    if set(term.keys) & set(other.keys):
        return True
    if term.keys[0].startswith("month:") or other.keys[0].startswith("month:"):
        return False
    return _inflected(term.keys[0], other.keys[0], strict=term.kind == "name")


def _numbers_match(term: Term, other: Term) -> bool:
    if term.keys[0] != other.keys[0]:
        keys = {key.removeprefix("part:") for key in other.keys}
        if not any(key in keys for key in term.keys):
            return False
    if "char" in (term.kind, other.kind):
        return True
    if term.unit != other.unit and (term.unit or other.unit in ("%", "$", "€", "£", "¥")):
        return False
    return term.limit == other.limit or not (term.limit or other.limit in ("before", "after"))


def _inflected(word: str, other: str, *, strict: bool) -> bool:
    """Whether two words are forms of one."""
    if word.startswith("ge") and other[:2] != "ge" and len(word) > 6 and not strict:
        word = word[2:]
    elif other.startswith("ge") and word[:2] != "ge" and len(other) > 6 and not strict:
        other = other[2:]
    shared = 0
    for one, two in zip(word, other, strict=False):
        if one != two:
            break
        shared += 1
    longest = max(len(word), len(other))
    ends = word[shared:], other[shared:]
    if "\uac00" <= word[0] <= "\ud7af":
        return shared >= 2 and longest - shared <= 3
    if strict and word[0].isascii():
        return shared >= 3 and all(end in ("", "s", "es", "n", "en", "e", "er", "em", "ed", "d", "ing") for end in ends)
    if shared < 3 or max(map(len, ends)) > 4:
        return False
    if shared == 3:
        return all(
            end in ("", "s", "es", "d", "ed", "e", "en", "t", "te", "ing", "r", "ping", "ting", "ning") for end in ends
        )
    return shared >= 0.6 * longest


def is_a(term: Term, kind: str) -> bool:
    """Whether a term is of that kind; a word with a capital at the beginning of a sentence may be a name."""
    return term.kind == kind or (kind == "name" and term.capital)


def negations(text: IndexedText, low: int, high: int) -> Iterable[tuple[int, set[int]]]:
    """Each negation among the terms `low` to `high`, as index in `all`, with the terms it denies, in `content`."""
    if low >= high:
        return
    first = text.content[low].sentence
    begin = text.at[low]
    while begin and text.all[begin - 1].sentence == first and text.all[begin - 1].kind in ("light", "not"):
        begin -= 1
    end = text.at[high - 1] + 1
    while end < len(text.all) and text.all[end].kind in ("light", "not") and text.all[end].sentence == first:
        end += 1
    position = low
    for index in range(begin, end):
        term = text.all[index]
        if position < high and text.at[position] < index:
            position += 1
        if term.kind != "not":
            continue
        after = [at for at in range(position, min(position + 3, high)) if text.content[at].clause == term.clause]
        before = [at for at in range(max(low, position - 2), position) if text.content[at].clause == term.clause]
        cue = term.keys[0]
        if cue in _PRECEDING:
            yield index, set(after)
        elif cue in _FOLLOWING:
            yield index, set(after) | set(before[-1:])
        else:
            yield index, set(after or before) or set(range(max(low, position - 1), min(position + 1, high)))


def around(text: IndexedText, index: int) -> set[int]:
    """Terms around a negation, for finding its counterpart."""
    term = text.all[index]
    near: set[int] = set()
    position = bisect.bisect_left(text.at, index)
    for at in range(max(0, position - 3), min(len(text.content), position + 4)):
        if text.content[at].clause == term.clause:
            near.add(at)
    return near

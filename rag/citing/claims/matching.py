"""When two terms say the same."""

from __future__ import annotations

from rag.citing.claims.term import Term


def matches(term: Term, other: Term) -> bool:
    """Whether two terms say the same: a number with its unit and comparison, a name, a word in any inflection."""
    if term.kind == "number" or other.kind == "number":
        return _numbers_match(term, other)
    if term.kind == "char" or other.kind == "char":
        return bool(set(term.keys) & set(other.keys))
    same = set(term.keys) & set(other.keys)
    if any(key.startswith("=") for key in same):
        return True
    if term.kind == "name" and term.capital and other.cased and not (other.capital or other.kind == "name"):
        return False
    if same:
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
    if shared >= 4 and not strict and all(end in ("", "e", "s", "es", "d", "ed", "ing") for end in ends):
        return True
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

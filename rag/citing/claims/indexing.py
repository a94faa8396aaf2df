"""A text taken apart into terms that are found by their keys: what claims and passages are compared by."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rag.citing.claims.term import Term
from rag.citing.claims.terms import terms

POSTINGS = 24
"""Places of one term that are looked at: bounds the work for a text that repeats itself."""

_ENGLISH = frozenset("the of and to is are was were with by for it from".split())  # noqa: SIM905
_GERMAN = frozenset("der die das und ist den von mit ein eine wird wurde zu im dem".split())  # noqa: SIM905
_ROMANCE = frozenset("el la le les et los del y de que en du".split())  # noqa: SIM905


@dataclass
class IndexedText:
    """A text taken apart. `content` are the terms that say something, `at` their index among all of them."""

    text: str
    all: list[Term]
    content: list[Term] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    keys: list[tuple[str, ...]] = field(default_factory=list)
    """Keys that each of `content` is looked up by."""
    bounds: list[tuple[int, int]] = field(default_factory=list)
    """Range in `content` of each sentence."""
    sentence_of: dict[str, list[int]] = field(default_factory=dict)
    _local: dict[tuple[int, int], dict[str, list[int]]] = field(default_factory=dict)

    @functools.cached_property
    def english(self) -> bool:
        """Whether most of the small words that tell English apart are English ones."""
        said = [term.keys[0] for term in self.all[:400] if term.kind == "light"]
        return sum(one in _ENGLISH for one in said) > sum(one in _GERMAN | _ROMANCE for one in said)

    @functools.cached_property
    def german(self) -> bool:
        """The same for German."""
        said = [term.keys[0] for term in self.all[:400] if term.kind == "light"]
        return sum(one in _GERMAN for one in said) > sum(one in _ENGLISH | _ROMANCE for one in said)

    def local(self, first: int, end: int) -> dict[str, list[int]]:
        """Positions in `content` by key, of the terms from `first` to before `end`."""
        found = self._local.get((first, end))
        if found is None:
            found = self._local[first, end] = _postings(self.keys, first, end)
        return found


def _postings(keys: Sequence[Sequence[str]], first: int, end: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for position in range(first, end):
        for key in keys[position]:
            places = found[key]
            if len(places) < POSTINGS:
                places.append(position)
    return dict(found)


def lookup_keys(term: Term) -> Iterable[str]:
    yield from (key.removeprefix("part:") for key in dict.fromkeys(term.keys))
    if term.kind in ("word", "name"):
        yield from _stem_keys(term.keys[0])


def _stem_keys(word: str) -> Iterable[str]:
    """Keys that inflected forms have in common."""
    if "\uac00" <= word[0] <= "\ud7af":
        if len(word) > 2:
            yield f"^{word[:2]}"
        return
    if word.startswith("ge") and len(word) > 6 and word[-1] in "tn":
        yield f"^{word[2:6]}"
    if 3 <= len(word) <= 5:
        yield f"^{word[:3]}"
    if len(word) >= 4:
        yield f"^{word[:4]}"


@functools.lru_cache(maxsize=256)
def indexed(text: str) -> IndexedText:
    found = IndexedText(text, terms(text))
    for index, term in enumerate(found.all):
        if term.kind not in ("light", "not"):
            found.content.append(term)
            found.at.append(index)
            found.keys.append(tuple(lookup_keys(term)))
    first = 0
    for sentence in range(found.all[-1].sentence + 1 if found.all else 0):
        end = first
        while end < len(found.content) and found.content[end].sentence == sentence:
            end += 1
        found.bounds.append((first, end))
        first = end
    places: dict[str, list[int]] = defaultdict(list)
    for position, term in enumerate(found.content):
        for key in voting_keys(found, position):
            said = places[key]
            if len(said) < POSTINGS and (not said or said[-1] != term.sentence):
                said.append(term.sentence)
    found.sentence_of = dict(places)
    return found


def voting_keys(text: IndexedText, position: int) -> Sequence[str]:
    """Keys that tell sentences apart: of a character the pair with the next one."""
    content = text.content
    term = content[position]
    if term.kind != "char" or position + 1 >= len(content) or content[position + 1].kind != "char":
        return text.keys[position]
    return (term.keys[0] + content[position + 1].keys[0], *term.keys[1:])

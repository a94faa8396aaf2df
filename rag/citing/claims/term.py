"""One term of a text: a word, a number, a name or a negation, in a form that is comparable."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass
from typing import Literal

from rag.citing.claims.lexicon import ROOTS
from rag.citing.claims.synonyms import SYNONYMS

Kind = Literal["word", "name", "number", "char", "light", "not"]


@dataclass(frozen=True, slots=True)
class Term:
    """One term. `start` and `end` are its character range in the text; `keys` the forms it is found by, the first its
    own; `sentence` and `clause` count from 0 within the text.

    `unit` is that of a number. `role` is the preposition before it, `limit` the comparison (`more`, `less`, `before`,
    `after`), empty where there is none. `cased` tells that its script has capitals, `capital` that it has one,
    so that it may be a name, `polar` that it turns a claim around.
    """

    start: int
    end: int
    kind: Kind
    keys: tuple[str, ...]
    sentence: int
    clause: int
    unit: str = ""
    role: str = ""
    limit: str = ""
    cased: bool = True
    polar: bool = False
    capital: bool = False


@functools.lru_cache(maxsize=4096)
def folded(word: str) -> str:
    """A word without case and accents."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char)).replace("’", "'")


def forms(word: str) -> tuple[str, ...]:
    """A word's own form, the root of an irregular one first, and the groups of synonyms it belongs to."""
    if "\u0600" <= word[0] <= "\u06ff":
        word = word.translate(str.maketrans("أإآةى", "اااهي"))
        for prefix in ("وال", "بال", "كال", "فال", "لل", "ال", "و"):
            if word.startswith(prefix) and len(word) - len(prefix) >= 3:
                word = word[len(prefix) :]
                break
    found = (ROOTS[word], word) if word in ROOTS else (word,)
    return found + SYNONYMS.get(word, ())

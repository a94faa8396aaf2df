"""Tokens that count words alike in every language, for cutting chunks.

Tokenizers hardly know other languages than English: WordPiece of all-MiniLM-L6-v2 makes a token of nearly every Russian
letter, and of a whole Thai sentence one. Counted like that, a chunk held 265 characters of Russian, 720 of German and
2,600 of Thai where it holds 1,200 of English, and short chunks tear the words of a question apart.

nDCG@10 by words alone on XQuAD, as the tokenizer counts, as is counted here, and bm25s over whole paragraphs:

| | tokenizer | here | bm25s |
|---|---|---|---|
| German (fused with the cosine .937, .940) | .926 | .931 | .935 |
| German in Cyrillic letters, put in their place one by one | .891 | .923 | .926 |
| English in Cyrillic letters | .939 | .951 | .951 |

Of English one chunk in twenty is cut elsewhere; Cranfield and CISI fused stay as they were to 0.001. Six letters
instead of eight gave .922 and .947 in Cyrillic.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.models.tokenizer import Tokenizer

BY_WORDS = ", words/1"
"""Behind the name of a tokenizer in a recipe: it counts as here. The number is to bump when the counting changes."""

_LETTERS = {
    8: re.compile("[A-Za-z\u00c0-\u0dff\u10a0-\u10ff\u1200-\u139f\u1e00-\u1fff]+"),
    2: re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7af]+"),
    5: re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+"),
}
"""Words, by how many letters of them make a token at most: alphabets; Hangul; Thai, Lao, Burmese and Khmer, whose words
are not apart, so that they are counted by letters always."""
_ALWAYS = 5


class WordTokens:
    """The tokens of another tokenizer, with as few to a word as an English one of so many letters has. What is not made
    of letters, and Chinese and Japanese, keep theirs. For models that read texts of any length only: the model's own
    tokens in a chunk can be six times as many."""

    def __init__(self, inner: Tokenizer) -> None:
        self.name = f"{inner.name}{BY_WORDS}"
        self.digest = inner.digest
        self._inner = inner

    def count_offsets(self, text: str) -> list[tuple[int, int]]:
        """See `Tokenizer`."""
        import numpy as np

        found = self._inner.count_offsets(text)
        starts = np.fromiter((_first_seen(text, start, end) for start, end in found), dtype=np.int64)
        kept = np.ones(len(found), dtype=bool)
        added: list[tuple[int, int]] = []
        for letters, pattern in _LETTERS.items():
            spans = np.array([match.span() for match in pattern.finditer(text)], dtype=np.int64).reshape(-1, 2)
            low, high = np.searchsorted(starts, spans[:, 0]), np.searchsorted(starts, spans[:, 1])
            most = -((spans[:, 0] - spans[:, 1]) // letters)
            changed = (high - low > most) | (letters == _ALWAYS)
            for (start, end), first, last, tokens in zip(
                spans[changed].tolist(), low[changed], high[changed], most[changed].tolist(), strict=True
            ):
                kept[first:last] = False
                at = [start + (end - start) * number // tokens for number in range(tokens + 1)]
                added += itertools.pairwise(at)
        return sorted([*itertools.compress(found, kept), *added])


def _first_seen(text: str, start: int, end: int) -> int:
    """Where a token's own characters begin: a byte pair may begin with the space before its word."""
    while start < end and text[start].isspace():
        start += 1
    return start

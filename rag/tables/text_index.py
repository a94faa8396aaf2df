"""The full-text index of a table of chunks: how it is made, and BM25 with it or without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rag.tables.chunk_rows import is_analysed
from rag.tables.lance import FTS, tokenize
from rag.text.bm25 import rarity, saturated

TEXT_INDEX = "text_idx"

# Of format 1, whose index is on `text`.
# Measured on German, Chinese, Japanese, Korean and English sentences: `simple` finds no Chinese or Japanese word at
# all, because it cuts at spaces only; `icu` finds them, but keeps `rag.llamaindex.vector_store`, `foo_bar` and `v2.3.1`
# whole; `icu/split` finds the words and their parts. Its built-in stop words are those of all languages at once: it
# drops `dog` (Danish) and `cat`. Hence our own short English list; with `remove_stop_words=False` every question with a
# `the` in it would find every chunk. Stems are English: German plurals and compounds, and Korean words with their
# endings, are found by the vectors only. No positions: quoted phrases are not asked for, and the index stays small.
_STOP_WORDS = (
    "a an and are as at be but by for from had has have if in into is it its no not of on or such that the their then "
    "there these they this to was were will with what which who whom whose how when where why do does did"
)
_TOKENS: dict[str, Any] = {"base_tokenizer": "icu/split", "custom_stop_words": _STOP_WORDS.split()}

# Of format 2: `terms` holds what is to be found, with a space between each two, and Lance changes nothing about it.
_TERMS: dict[str, Any] = {
    "base_tokenizer": "whitespace",
    "lower_case": False,
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": False,
    "max_token_length": None,
}


def indexed_column(analysed: bool) -> str:
    """The column that the index is on."""
    return "terms" if analysed else "text"


def create_text_index(table: Any) -> None:
    """Make the full-text index anew, in place of the one there may be."""
    if is_analysed(table.schema):
        table.create_index("terms", config=FTS(**_TERMS), replace=True, name=TEXT_INDEX)
    else:
        table.create_index("text", config=FTS(**_TOKENS), replace=True, name=TEXT_INDEX)


def flat_matches(words: str, texts: Sequence[str], *, analysed: bool) -> dict[int, float]:
    """BM25 by row number without an index, of the rows that hold any of the words: a table whose index was lost still
    answers, only slower. `texts` are the indexed column of all rows."""
    split = str.split if analysed else _tokens
    wanted = set(split(words))
    counted = [Counter(split(text)) for text in texts]
    lengths = [sum(counts.values()) for counts in counted]
    average = sum(lengths) / len(lengths) or 1.0
    scores: dict[int, float] = {}
    for term in sorted(wanted):
        having = [number for number, counts in enumerate(counted) if term in counts]
        weight = rarity(len(counted), len(having))
        for number in having:
            part = saturated(counted[number][term], lengths[number], average)
            scores[number] = scores.get(number, 0.0) + weight * part
    return scores


def _tokens(text: str) -> list[str]:
    return [token.text for token in tokenize(text, **_TOKENS)]

"""Whether the passages found can answer the question at all: a question without an answer is declined."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rag.asking.coverage import coverage
from rag.tables.frequencies import Frequencies
from rag.text.scripts import NOT_LATIN, SPACELESS, is_latin
from rag.text.stopwords import question_language
from rag.text.words import content_words

if TYPE_CHECKING:
    from rag.asking.extractive import Extract
    from rag.citing.answer import Passage
    from rag.tables.chunk_rows import ChunkRow
    from rag.tables.reader import TableReader

LEAST_COSINE = 0.30
LEAST_COVERED = 0.5
"""Nothing is relevant when the best cosine is under the first, and no passage found by words holds this share of the
question's words."""

LEAST_COVERED_NOT_LATIN = 0.15
"""The same share in other scripts, whose words are not stemmed here or are pairs of characters. Of 200 questions of
XQuAD in Chinese 2.5 % have no passage that holds it, and 47 % of them without the document that answers them; at 0.3 it
would be 16 and 94 %. It also holds where the cosines are not those of the embedded model: with half of the words, the
multilingual local model would lose 7.8 % of the German questions."""

_ENGLISH = re.compile(
    r"\b(?:the|what|which|who|whom|whose|when|where|why|how|of|did|does|do|is|are|were|from|about|with)\b",
    re.IGNORECASE,
)
_PLAIN = {True: (10.4, 8.2, 8.2), False: (5.75, 9.45, 4.9)}
"""For questions in English and in other languages, where it is not known how rare their words are, or they are in
another language than the sources: weight of the cosine, weight of the words, least sum."""

_BY_WORDS = {"words": 2.76, "sentence": 4.41, "bm25": 2.87, "strange": -0.86}
_RULES: Mapping[tuple[str, bool], tuple[Mapping[str, float], float]] = {
    ("en", True): (
        {"lead": 4.97, "bm25": 3.56, "cosine": 8.33, "ahead": 7.43, "wrong_kind": -0.93, "strange": -2.05},
        7.3,
    ),
    ("Latin", True): (
        {"words": 2.57, "sentence": 3.08, "bm25": 2.1, "cosine": 5.54, "ahead": 7.56, "strange": -0.82},
        5.31,
    ),
    ("en", False): ({"lead": 4.3, "bm25": 5.14, "sentence": 3.76, "wrong_kind": -1.24, "strange": -2.29}, 4.15),
    ("Latin", False): (_BY_WORDS, 2.18),
    ("other", False): (_BY_WORDS, 2.18),
    ("spaceless", False): ({"words": 14.16, "bm25": 2.88, "strange": -5.79}, 3.25),
}
"""Weights of the measures and their least sum, for a kind of language, with or without cosines of the embedded model.

A measure is one of `Coverage`, one of `Extract`, or `wrong_kind`: a number or a name is asked for, and the first
sentence quoted holds none that the question does not. Chosen by logistic regression on XQuAD (English, German without
and with cosines, Chinese), against the same questions without the paragraph and without the document that answers them.
Questions of one word are judged by `_PLAIN`. `python -m bench answers` measures all; docs/answers.md has the figures.
"""

_NUMBER_ASKED = re.compile(
    r"\bhow (?:many|much|long|old|far|large|big|tall|high|often)\b|\bwhen\b"
    r"|\b(?:what|which) (?:year|percent|percentage|number|date|day|age|century)\b|\bwhat\b.*\b(?:population|price)\b",
    re.IGNORECASE,
)
_NAME_ASKED = re.compile(r"\b(?:who|whom|whose|where)\b|\b(?:what|which) (?:city|country|state)\b", re.IGNORECASE)
_NUMERALS = frozenset(
    """
    one two three four five six seven eight nine ten eleven twelve hundred thousand million billion half first second
    third dozen
    """.split()  # noqa: SIM905 - a list of twenty quoted words is unreadable
)
_PART = re.compile(r"[\w.,]*\w")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z]\w+")


def relevant(question: str, passages: Sequence[Passage], *, embedded: bool = True) -> bool:
    """Whether any passage is close enough to the question to show it to a language model, which may still decline.

    `embedded`: the cosines are those of the embedded model.
    """
    if any(passage.dense is not None and passage.dense >= LEAST_COSINE for passage in passages):
        return True
    asked = set(content_words(question))
    if not asked:
        return bool(passages)
    least = LEAST_COVERED if embedded and is_latin(question) else LEAST_COVERED_NOT_LATIN
    return any(
        passage.lexical is not None and len(asked.intersection(content_words(passage.text))) >= least * len(asked)
        for passage in passages
    )


def quotable(
    question: str, passages: Sequence[Passage], found: Extract, reader: TableReader, rows: Sequence[ChunkRow]
) -> bool:
    """Whether the sentences found in the passages may be quoted as an answer. `rows` are those of the passages.

    The first time the terms of up to 2,048 chunks are counted.
    """
    languages = {row.id: row.language for row in rows}
    return answerable(
        question,
        passages,
        found,
        reader.frequencies(),
        [languages.get(one.chunk_id, "") for one in passages],
        reader.spoken(),
    )


def answerable(
    question: str,
    passages: Sequence[Passage],
    found: Extract,
    frequencies: Frequencies | None,
    languages: Sequence[str],
    spoken: frozenset[str],
) -> bool:
    """As `quotable`, of passages in these languages, in a notebook whose languages are `spoken`.

    Without `frequencies`, for one word, and for a question in a language of no source, the cosine of the closest
    sentence and the largest share of the question's words in one passage decide, and nothing is declined where there is
    no cosine. A question without words is never declined here: there is nothing to judge it by.
    """
    asked = set(content_words(question))
    if not asked:
        return True
    language = question_language(question, spoken)
    foreign = language not in spoken and bool(language) and not (language == "en" and "" in spoken)
    if frequencies is None or foreign or len(asked) < 2:
        return _plainly(question, asked, passages, found.cosine)
    texts = [(one.text, language) for one, language in zip(passages, languages, strict=True)]
    held = coverage(question, texts, frequencies, spoken)
    if held is None:
        return True
    with_cosines = found.cosine is not None
    kind = _kind(question, language)
    weights, least = _RULES.get((kind, with_cosines)) or _RULES[kind, False]
    measures = {
        **held._asdict(),
        "cosine": found.cosine or 0.0,
        "ahead": found.ahead,
        "wrong_kind": _wrong_kind(question, found),
    }
    return bool(sum(weight * measures[name] for name, weight in weights.items()) >= least)


def _kind(question: str, language: str) -> str:
    if language == "en" or language in SPACELESS:
        return "en" if language == "en" else "spaceless"
    return "Latin" if language not in NOT_LATIN and is_latin(question) else "other"


def _plainly(question: str, asked: set[str], passages: Sequence[Passage], cosine: float | None) -> bool:
    if cosine is None:
        return True
    covered = max((len(asked.intersection(content_words(one.text))) for one in passages), default=0) / len(asked)
    by_cosine, by_words, least = _PLAIN[_ENGLISH.search(question) is not None]
    return by_cosine * cosine + by_words * covered >= least


def _wrong_kind(question: str, found: Extract) -> bool:
    """Whether an English question asks for a number or a name that the first sentence quoted does not add."""
    if not found.citations:
        return False
    text, known = found.citations[0].quote, set(_PART.findall(question.lower()))
    if _NUMBER_ASKED.search(question):
        new = set(_PART.findall(text.lower())) - known
        return not any(word in _NUMERALS or any(char.isdigit() for char in word) for word in new)
    if _NAME_ASKED.search(question):
        return all(name.lower() in known for name in _NAME.findall(text))
    return False

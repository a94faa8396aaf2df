"""Whether the passages found can answer the question at all: a question without an answer is declined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.words import content_words

if TYPE_CHECKING:
    from rag.citations import Passage

LEAST_COSINE = 0.30
LEAST_COVERED = 0.5
"""Nothing is relevant when the best cosine is under the first, and no passage found by words holds this share of the
question's words."""

_ENGLISH = re.compile(
    r"\b(?:the|what|which|who|whom|whose|when|where|why|how|of|did|does|do|is|are|were|from|about|with)\b",
    re.IGNORECASE,
)
_WEIGHTS = {True: (10.4, 8.2, 8.2), False: (5.75, 9.45, 4.9)}
"""For questions in English and in other languages: weight of the cosine, weight of the words, least sum.

Chosen by logistic regression on half of the documents of XQuAD (for the second row, half of the German and Chinese
questions), against the same questions without the paragraph and without the document that answers them.
`python -m bench answers` measures them; docs/answers.md has the figures.
"""


def relevant(question: str, passages: Sequence[Passage]) -> bool:
    """Whether any passage is close enough to the question to show it to a language model, which may still decline."""
    if any(passage.dense is not None and passage.dense >= LEAST_COSINE for passage in passages):
        return True
    asked = set(content_words(question))
    if not asked:
        return bool(passages)
    return any(
        passage.lexical is not None
        and len(asked.intersection(content_words(passage.text))) >= LEAST_COVERED * len(asked)
        for passage in passages
    )


def answerable(question: str, passages: Sequence[Passage], cosine: float) -> bool:
    """Whether sentences of the passages may be quoted as an answer.

    `cosine` is that of the question and the closest sentence, by the embedded model: other models have other scales.
    The second measure is the largest share of the question's words in one passage. A question without words is never
    declined here: there is nothing to judge it by.
    """
    asked = set(content_words(question))
    if not asked:
        return True
    covered = max((len(asked.intersection(content_words(one.text))) for one in passages), default=0) / len(asked)
    by_cosine, by_words, least = _WEIGHTS[_ENGLISH.search(question) is not None]
    return by_cosine * cosine + by_words * covered >= least

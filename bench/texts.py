"""Text to measure with: the language reference that comes with every Python, so nothing is downloaded."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterator
from pydoc_data.topics import topics

SECTION_TOKENS = 170
"""Tokens of one section. Two do not fit into a chunk of 220 with its overlap, so each section becomes one chunk."""

SECTIONS = 10
"""Sections of one document, hence chunks."""


@functools.cache
def sentences() -> tuple[tuple[str, int], ...]:
    """Sentences of the language reference with their tokens in all-MiniLM-L6-v2, 5 to 80 each."""
    from rag.models.tokens import count_minilm

    prose = " ".join(" ".join(text.split()) for _, text in sorted(topics.items()))
    found = list(dict.fromkeys(re.split(r"(?<=[a-z)][.!?]) (?=[A-Z])", prose)))
    return tuple(pair for pair in zip(found, count_minilm(found), strict=True) if 5 <= pair[1] <= 80)


def document(number: int) -> str:
    """Markdown of `SECTIONS` sections of shuffled sentences, the same for the same number."""
    chosen = random.Random(number)
    sections = []
    for section in range(SECTIONS):
        tokens, text = 0, []
        for sentence, length in _endless(chosen):
            if tokens + length > SECTION_TOKENS:
                break
            tokens += length
            text.append(sentence)
        sections.append(f"## Section {number}.{section}\n\n{' '.join(text)}")
    return "\n\n".join(sections) + "\n"


def questions(count: int) -> list[str]:
    """Questions made of words that occur."""
    chosen = random.Random("questions")
    return [" ".join(chosen.choice(sentences())[0].split()[:8]) for _ in range(count)]


def _endless(chosen: random.Random) -> Iterator[tuple[str, int]]:
    while True:
        yield chosen.choice(sentences())


def passages(count: int) -> list[str]:
    """Chunks of the language reference as a build cuts them, 210 tokens or more, spread over all of it."""
    from rag.config import Config
    from rag.models.tokens import count_minilm, tokenizer_for
    from rag.reading.places import Reading
    from rag.reading.splitting import split

    prose = "\n\n".join(text for _, text in sorted(topics.items()))
    offsets = tokenizer_for(Config()).count_offsets
    pieces = split(Reading(prose, "text/plain"), size=240, overlap=32, offsets=offsets)
    texts = [piece.embed_text for piece in pieces]
    long = [text for text, tokens in zip(texts, count_minilm(texts), strict=True) if 210 <= tokens <= 250]
    return [long[number * len(long) // count] for number in range(count)]

"""Passages that say the same in almost the same words: copies of a text in several sources, with a comma changed."""

from __future__ import annotations

from dataclasses import dataclass

from rag.words import content_words

ALIKE = 0.8
"""Share of the runs of `RUN` words, of those that either text has, that both must have."""

RUN = 5


@dataclass(frozen=True)
class Likeness:
    """What a text is compared by: its runs of words, and its words with digits."""

    runs: frozenset[tuple[str, ...]]
    figures: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Likeness:
        """The likeness of a text; without runs, and so like nothing, where it has fewer than `RUN` words."""
        words = content_words(text)
        runs = frozenset(tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1))
        return cls(runs, frozenset(word for word in words if any(char.isdigit() for char in word)))

    def like(self, other: Likeness) -> bool:
        """Whether both say the same. Texts whose numbers differ never do: last year's report is not this year's."""
        fewer, more = sorted((len(self.runs), len(other.runs)))
        if not fewer or fewer < ALIKE * more or self.figures != other.figures:
            return False
        both = len(self.runs & other.runs)
        return both >= ALIKE * (fewer + more - both)

"""Answers without a language model: whole sentences of the passages, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.asking.extractive import extract
from rag.asking.followups import Turn, completed, note_of
from rag.asking.frame import NOTHING, Frame
from rag.asking.neighbours import paged
from rag.asking.relevance import quotable
from rag.asking.writer import Completed, Preview
from rag.manifest import Receipt

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.citing.answer import Answer, Passage
    from rag.models.embedder import Usage
    from rag.progress import IsCancelled
    from rag.sources.restriction import Restriction


@dataclass(frozen=True)
class Quoting:
    """Nobody writes: sentences are quoted. Costs nothing but vectors of sentences, and those only of a local model."""

    name: str = "none"
    window: int | None = None

    def completed(self, opened: Opened, question: str, earlier: Sequence[Turn], cancelled: IsCancelled) -> Completed:
        """By rule."""
        del opened, cancelled
        return completed_by_rule(question, earlier)

    def written(self, frame: Frame, cancelled: IsCancelled) -> Iterator[str | Answer]:
        """All at once."""
        del cancelled
        questions = frame.opened.questions
        before = questions.usage()
        passages, reader = frame.found.passages, frame.opened.reader
        found = extract(frame.searched, passages, questions.local())
        rows = reader.rows([one.chunk_id for one in passages])
        answerable = quotable(frame.searched, passages, found, reader, rows)
        receipt = _with(frame, questions.usage() - before)
        if not answerable:
            yield NOTHING
            yield frame.nothing(receipt=receipt)
            return
        yield found.text
        yield frame.answer("extractive", found.text, paged(rows, passages, found.citations), receipt=receipt)

    def preview(self, opened: Opened, question: str, passages: Sequence[Passage], only: Restriction | None) -> Preview:
        """Whether a sentence would be quoted."""
        del only
        reader = opened.reader
        found = extract(question, passages, opened.questions.local())
        rows = reader.rows([one.chunk_id for one in passages])
        return Preview(quotable=quotable(question, passages, found, reader, rows))


@dataclass(frozen=True)
class Unable(Quoting):
    """A language model is set, and cannot be used: `why` is a sentence. It is not quoted instead: nobody asked for
    that."""

    why: str = ""

    def written(self, frame: Frame, cancelled: IsCancelled) -> Iterator[str | Answer]:
        """Why not."""
        del cancelled
        yield frame.answer("failed", self.why)

    def preview(self, opened: Opened, question: str, passages: Sequence[Passage], only: Restriction | None) -> Preview:
        """As it would be without, and why not."""
        return replace(super().preview(opened, question, passages, only), notes=(self.why,))


def completed_by_rule(question: str, earlier: Sequence[Turn]) -> Completed:
    """A question with the words of what it leans on."""
    searched = completed(question, earlier)
    return Completed(searched, notes=(note_of(searched),) if searched != question else ())


def _with(frame: Frame, used: Usage) -> Receipt:
    """The receipt of the search and of what was used since."""
    receipt = frame.found.receipt
    return replace(
        receipt,
        calls=receipt.calls + used.calls,
        texts=receipt.texts + used.texts,
        tokens=receipt.tokens + used.tokens,
        seconds=round(frame.elapsed, 4),
    )

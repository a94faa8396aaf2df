"""Answers that a language model writes from the passages, each claim checked while it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.asking.followups import Turn, note_of, rewritten
from rag.asking.frame import Frame, Kind
from rag.asking.neighbours import paged, shown
from rag.asking.prompting import parts, prompt
from rag.asking.quoting import completed_by_rule
from rag.asking.writer import Completed, Preview
from rag.citing.checking import CitationStream, unchecked
from rag.errors import Cancelled, ContextTooLong, ModelError
from rag.home.spending import record_reply, with_reply
from rag.models.llms import TextStream
from rag.text.counting import count

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

    from rag.asking.opening import Opened
    from rag.citing.answer import Answer, Passage
    from rag.models.llms import LlmUsage
    from rag.progress import IsCancelled
    from rag.sources.restriction import Restriction


@dataclass(frozen=True)
class Generating:
    """A language model writes."""

    llm: LLM

    @property
    def name(self) -> str:
        """The model."""
        return str(self.llm.metadata.model_name)

    @property
    def window(self) -> int | None:
        """Tokens that it takes with its answer."""
        return int(self.llm.metadata.context_window)

    def completed(self, opened: Opened, question: str, earlier: Sequence[Turn], cancelled: IsCancelled) -> Completed:
        """As the model says it in one short call; by rule where it fails, is stopped, or says no question."""
        paid: list[LlmUsage] = []
        notes: list[str] = []

        def record(usage: LlmUsage) -> None:
            paid.append(usage)
            notes.extend(self._record(opened, usage))

        said = None
        try:
            said = rewritten(question, earlier, self.llm, cancelled, record)
        except Cancelled:
            pass  # the answer itself is stopped at once, with its passages
        except ModelError as error:
            notes.append(f"The question was completed from the one above by rule. {error}")
        ruled = completed_by_rule(question, earlier)
        searched = said or ruled.searched
        told = (note_of(searched),) if searched != question else ()
        return Completed(searched, paid[0] if paid else None, (*told, *notes))

    def written(self, frame: Frame, cancelled: IsCancelled) -> Iterator[str | Answer]:
        """As it is written; stopped, what had come is kept."""
        near = frame.opened.neighbours(frame.found.passages, frame.only)
        try:
            sent = prompt(frame.searched, frame.found.passages, self.llm, near)
        except ContextTooLong as error:
            yield frame.answer("failed", str(error), model=self.name)
            return
        stream = TextStream(self.llm, sent.messages, cancelled=cancelled, max_tokens=sent.answer_tokens)
        kind: Kind = "generated"
        notes = [*frame.found.notes, *sent.notes]
        first: float | None = None
        failure = ""
        checker = CitationStream(sent.passages)
        try:
            for piece in stream:
                first = first if first is not None else frame.elapsed
                checker.feed(piece)
                yield piece
        except Cancelled:
            kind = "stopped"
            notes.append("Stopped by you; what had come is kept.")
        except ModelError as error:
            kind, failure = "failed", str(error)
            if stream.text.strip():
                notes.append(f"Until then it had written: {' '.join(stream.text.split())}")
        finally:  # also where whoever reads the answer drops it
            stream.close()
            notes += self._record(frame.opened, stream.usage)
        if kind == "generated" and (silent := unchecked(stream.text, sent.passages)):
            verb, were = ("names", "was") if silent == 1 else ("name", "were")
            notes.append(f"{count(silent, 'sentence')} of this answer {verb} no passage and {were} not checked.")
        if stream.finish_reason == "length":
            notes.append(f"The answer was cut off at {sent.answer_tokens:,} tokens.")
        yield frame.answer(
            kind,
            failure or stream.text,
            () if failure else paged(near.rows, sent.passages, checker.finish()),
            shown(frame.found.passages, sent.passages),
            model=self.name,
            receipt=replace(with_reply(frame.found.receipt, stream.usage), seconds=round(frame.elapsed, 4)),
            notes=tuple(notes),
            first_token_seconds=first,
        )

    def preview(self, opened: Opened, question: str, passages: Sequence[Passage], only: Restriction | None) -> Preview:
        """What would be sent."""
        try:
            sent = prompt(question, passages, self.llm, opened.neighbours(passages, only))
        except ContextTooLong as error:
            return Preview(sent=frozenset(), notes=(str(error),))
        in_it = {chunk_id for one in sent.passages for chunk_id in (one.chunk_id, *one.joined)}
        numbers = frozenset(one.n for one in passages if one.chunk_id in in_it)
        return Preview(tuple(parts(question, sent, self.llm)), numbers, notes=sent.notes)

    def _record(self, opened: Opened, usage: LlmUsage) -> list[str]:
        return record_reply(opened.place, self.name, usage, "answer", opened.snapshot)

"""From a question to an answer with citations: passages, then quoted sentences or a language model's words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from rag.asking.extractive import extract
from rag.asking.followups import Turn, completed, leans, note_of, rewritten
from rag.asking.neighbours import page_at, shown
from rag.asking.relevance import quotable, relevant
from rag.citing.answer import Answer, Citation, Found, Passage
from rag.citing.checking import CitationStream, unchecked
from rag.errors import BadKey, Cancelled, ContextTooLong, ModelError
from rag.home.spending import record_reply, with_reply
from rag.manifest import Receipt
from rag.progress import IsCancelled
from rag.storage.stamp import now
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.models.embedder import Usage
    from rag.models.llms import LlmUsage
    from rag.sources.restriction import Restriction
    from rag.tables.chunk_rows import ChunkRow

NOTHING = "Nothing in these sources is close to the question."
LONGEST_QUESTION = 2000
"""Characters of a question that are looked at, sent and kept; what is longer is cut and said so."""


@dataclass
class _Frame:
    """What every kind of answer says of itself."""

    opened: Opened
    question: str
    searched: str
    found: Found
    started: float
    only: Restriction | None

    def answer(
        self,
        kind: Literal["extractive", "generated", "nothing relevant", "failed", "stopped"],
        text: str,
        citations: Sequence[Citation] = (),
        passages: Sequence[Passage] | None = None,
        **more: Any,
    ) -> Answer:
        fields: dict[str, Any] = {
            "model": "none",
            "receipt": replace(self.found.receipt, seconds=round(time.monotonic() - self.started, 4)),
            "notes": self.found.notes,
        } | more
        return Answer(
            question=self.question,
            text=text,
            kind=kind,
            citations=tuple(citations),
            passages=tuple(self.found.passages if passages is None else passages),
            snapshot=self.found.snapshot,
            verdict=self.opened.notebook.status().verdict.name,
            recipe_fp=self.opened.manifest.recipe_fp,
            space=str(self.opened.questions.space),
            asked=now(),
            only=self.only,
            searched="" if self.searched == self.question else self.searched,
            **fields,
        )


def answer(
    opened: Opened,
    text: str,
    k: int,
    *,
    cancelled: IsCancelled,
    earlier: Sequence[Turn] = (),
    only: Restriction | None = None,
) -> Iterator[str | Answer]:
    """Pieces of the answer's text, then the Answer. See `Opened.ask`."""
    started = time.monotonic()
    question = text.encode("utf-8", "replace").decode().strip()
    notes = []
    if len(question) > LONGEST_QUESTION:
        question = question[:LONGEST_QUESTION].rstrip()
        notes.append(f"The question is long: its first {LONGEST_QUESTION:,} characters were asked.")
    llm, missing = None, ""
    try:
        llm = opened.notebook.make_llm(opened.notebook.config)
    except BadKey as error:
        missing = str(error)
    searched, used = question, None
    if earlier and leans(question):
        searched, used, told = _completed(opened, question, earlier, llm, cancelled)
        notes += told
    if only is not None and only.words:
        notes.append(f"Searched only {only.words}.")
    found = opened.search(searched, k, only, cancelled=cancelled)
    receipt = found.receipt if used is None else with_reply(found.receipt, used)
    found = replace(found, notes=(*notes, *found.notes), receipt=receipt)
    frame = _Frame(opened, question, searched, found, started, only)
    if not found.passages or not relevant(searched, found.passages, embedded=opened.questions.local() is not None):
        yield NOTHING
        yield frame.answer("nothing relevant", NOTHING)
    elif missing:
        yield frame.answer("failed", missing)
    elif llm is None:
        yield from _extractive(frame)
    else:
        yield from _generated(frame, llm, cancelled)


def _completed(
    opened: Opened, question: str, earlier: Sequence[Turn], llm: Any, cancelled: IsCancelled
) -> tuple[str, LlmUsage | None, list[str]]:
    """What to search for instead of a question that leans on the one above, what finding out used, and notes."""
    searched, notes = completed(question, earlier), []
    paid: list[LlmUsage] = []

    def record(usage: LlmUsage) -> None:
        paid.append(usage)
        notes.extend(_record(opened, llm, usage))

    if llm is not None:
        try:
            searched = rewritten(question, earlier, llm, cancelled, record) or searched
        except Cancelled:
            pass  # the answer itself is stopped at once, with its passages
        except ModelError as error:
            notes.append(f"The question was completed from the one above by rule. {error}")
    if searched != question:
        notes.insert(0, note_of(searched))
    return searched, paid[0] if paid else None, notes


def _extractive(frame: _Frame) -> Iterator[str | Answer]:
    questions = frame.opened.questions
    before = questions.usage()
    passages, reader = frame.found.passages, frame.opened.table.reader()
    found = extract(frame.searched, passages, questions.local())
    rows = reader.rows([one.chunk_id for one in passages])
    if not quotable(frame.searched, passages, found, reader, rows):
        yield NOTHING
        yield frame.answer("nothing relevant", NOTHING, receipt=_with(frame, questions.usage() - before))
        return
    receipt = _with(frame, questions.usage() - before)
    yield found.text
    yield frame.answer("extractive", found.text, _paged(rows, passages, found.citations), receipt=receipt)


def _with(frame: _Frame, used: Usage) -> Receipt:
    """The receipt of the search and of what was used since."""
    receipt = frame.found.receipt
    return replace(
        receipt,
        calls=receipt.calls + used.calls,
        texts=receipt.texts + used.texts,
        tokens=receipt.tokens + used.tokens,
        seconds=round(time.monotonic() - frame.started, 4),
    )


def _generated(frame: _Frame, llm: Any, cancelled: IsCancelled) -> Iterator[str | Answer]:
    from rag.asking.prompting import prompt
    from rag.models.llms import TextStream

    model = str(llm.metadata.model_name)
    near = frame.opened.neighbours(frame.found.passages, frame.only)
    try:
        sent = prompt(frame.searched, frame.found.passages, llm, near)
    except ContextTooLong as error:
        yield frame.answer("failed", str(error), model=model)
        return
    stream = TextStream(llm, sent.messages, cancelled=cancelled, max_tokens=sent.answer_tokens)
    kind: Literal["generated", "failed", "stopped"] = "generated"
    notes = [*frame.found.notes, *sent.notes]
    first: float | None = None
    failure = ""
    checker = CitationStream(sent.passages)
    try:
        for piece in stream:
            first = first if first is not None else time.monotonic() - frame.started
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
        notes += _record(frame.opened, llm, stream.usage)
    if kind == "generated" and (silent := unchecked(stream.text, sent.passages)):
        verb, were = ("names", "was") if silent == 1 else ("name", "were")
        notes.append(f"{count(silent, 'sentence')} of this answer {verb} no passage and {were} not checked.")
    if stream.finish_reason == "length":
        notes.append(f"The answer was cut off at {sent.answer_tokens:,} tokens.")
    yield frame.answer(
        kind,
        failure or stream.text,
        () if failure else _paged(near.rows, sent.passages, checker.finish()),
        shown(frame.found.passages, sent.passages),
        model=model,
        receipt=replace(
            with_reply(frame.found.receipt, stream.usage), seconds=round(time.monotonic() - frame.started, 4)
        ),
        notes=tuple(notes),
        first_token_seconds=first,
    )


def _paged(rows: Sequence[ChunkRow], passages: Sequence[Passage], citations: Sequence[Citation]) -> list[Citation]:
    """The citations with the page on which each quote begins, where its passage is on more than one."""
    sources = {one.chunk_id: one.source_id for one in passages if one.page != one.page_end}
    placed = []
    for one in citations:
        page = None
        if one.start is not None and one.chunk_id in sources:
            page = page_at([row for row in rows if row.source_id == sources[one.chunk_id]], one.start)
        placed.append(one if page is None else replace(one, page=page))
    return placed


def _record(opened: Opened, llm: Any, usage: LlmUsage) -> list[str]:
    place, model = opened.notebook.place, str(llm.metadata.model_name)
    return record_reply(place, model, usage, "answer", opened.snapshot)

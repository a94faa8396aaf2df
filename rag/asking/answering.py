"""From a question to an answer with citations: passages, then quoted sentences or a language model's words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rag.asking.followups import Turn, leans
from rag.asking.frame import NOTHING, Frame
from rag.asking.quoting import Quoting, Unable
from rag.asking.relevance import relevant
from rag.asking.writer import Completed, Writer
from rag.citing.answer import Answer
from rag.errors import BadKey
from rag.home.spending import with_reply
from rag.progress import IsCancelled, never

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.sources.restriction import Restriction

LONGEST_QUESTION = 2000
"""Characters of a question that are looked at, sent and kept; what is longer is cut and said so."""


def ask(
    opened: Opened,
    text: str,
    k: int = 8,
    *,
    cancelled: IsCancelled = never,
    earlier: Sequence[Turn] = (),
    only: Restriction | None = None,
) -> Iterator[str | Answer]:
    """Pieces of the answer's text as they come; the last item is the Answer. Raises as `Opened.search`.

    `earlier` are the questions above with their answers, oldest first, for a question that leans on them. Only what
    meets the restriction is searched and sent; the answer's notes say which.
    """
    started = time.monotonic()
    question = text.encode("utf-8", "replace").decode().strip()
    notes = []
    if len(question) > LONGEST_QUESTION:
        question = question[:LONGEST_QUESTION].rstrip()
        notes.append(f"The question is long: its first {LONGEST_QUESTION:,} characters were asked.")
    writer = writer_of(opened)
    full = Completed(question)
    if earlier and leans(question):
        full = writer.completed(opened, question, earlier, cancelled)
    notes += full.notes
    if only is not None and only.words:
        notes.append(f"Searched only {only.words}.")
    found = opened.search(full.searched, k, only, cancelled=cancelled)
    receipt = found.receipt if full.used is None else with_reply(found.receipt, full.used)
    found = replace(found, notes=(*notes, *found.notes), receipt=receipt)
    frame = Frame(opened, question, full.searched, found, started, only)
    if relevant(full.searched, found.passages, embedded=opened.questions.local() is not None):
        yield from writer.written(frame, cancelled)
    else:
        yield NOTHING
        yield frame.nothing()


def writer_of(opened: Opened) -> Writer:
    """Who writes answers from a snapshot under the settings that it was opened with."""
    try:
        llm = opened.models.llm(opened.config)
    except BadKey as error:
        return Unable(why=str(error))
    if llm is None:
        return Quoting()
    from rag.asking.generating import Generating  # imports llama-index and openai: seconds, only where a model writes

    return Generating(llm)

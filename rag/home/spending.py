"""From a paid call to its line in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from rag.errors import RagbookError, StoreError
from rag.home.place import Place
from rag.manifest import Receipt
from rag.storage.ledger import Entry, Ledger, entry, summed
from rag.text.counting import count

if TYPE_CHECKING:
    from rag.models.embedder import Embedder
    from rag.models.llms import LlmUsage

Purpose = Literal["build", "canary", "question", "answer", "rerank", "adopt"]


@dataclass
class Recording:
    """The calls that are being paid for, and those whose line could not be written (`unwritten`)."""

    ledger: Ledger
    unwritten: list[Entry] = field(default_factory=list)

    def write(self, line: Entry) -> None:
        """Into the ledger. Where that fails the caller goes on until it has kept the result, then calls `settle`."""
        try:
            self.ledger.record(line)
        except StoreError:
            self.unwritten.append(line)

    def settle(self, after: BaseException | None = None) -> None:
        """Stop where the ledger has no line of something that was paid for and cannot be written now either.
        `after` is what failed first, so that the result of the last call could not be kept.

        Raises:
            StoreError: of the kind of the failure; the sentence says what has no line.
        """
        if not self.unwritten:
            return
        try:
            self.ledger.settle()
        except StoreError as error:
            sentence = f"{error} {told(self.unwritten)}"
            self.unwritten.clear()  # it is told now
            if after is None:
                sentence += " What was paid for is kept."
            elif isinstance(after, RagbookError):
                sentence = f"{after} {sentence}"
            raise type(error)(sentence) from error
        self.unwritten.clear()


def told(unwritten: list[Entry]) -> str:
    """What was paid for and has no line in the ledger, in a sentence."""
    spent = summed("", unwritten)
    models = ", ".join(sorted({one.model for one in unwritten}))
    return (
        f"The ledger has no line of {count(spent.calls, 'paid call')} to {models} ({unwritten[0].time}: "
        f"{count(spent.texts, 'text')}, {spent.tokens:,} tokens, {spent.cost})."
    )


@contextmanager
def recorded(
    place: Place, embedder: Embedder, model: str, purpose: Purpose, *, snapshot: int | None, space: str = ""
) -> Iterator[Recording]:
    """Write every paid call that `embedder` makes inside into the ledger, before its result is used.

    Raises:
        StoreError: nothing can be written into the ledger, so nothing is paid for; or, at the end or when the caller
            calls `settle`, a line of what was paid for could not be.
    """
    recording = Recording(Ledger(place.objects))
    if embedder.cost(1) != 0.0:
        recording.ledger.check()

    def paid(texts: int, tokens: int, cost_usd: float | None) -> None:
        recording.write(
            entry(
                model,
                purpose,
                texts=texts,
                tokens=tokens,
                cost_usd=cost_usd,
                notebook=place.slug,
                snapshot=snapshot,
                space=space,
            )
        )

    embedder.on_paid(paid)
    try:
        yield recording
    except BaseException as error:
        recording.settle(error)  # that there is no line must be told too
        raise
    finally:
        embedder.on_paid(None)
    recording.settle()


def record_reply(place: Place, model: str, usage: LlmUsage, purpose: Purpose, snapshot: int) -> list[str]:
    """Write what a language model cost into the ledger, before its words are handed on. Where that fails they, which
    are paid for, are handed on with a sentence that says so."""
    if not usage.calls or usage.cost_usd == 0.0:
        return []
    recording = Recording(Ledger(place.objects))
    recording.write(
        entry(
            model,
            purpose,
            texts=0,
            tokens=usage.prompt_tokens + usage.completion_tokens,
            cost_usd=usage.cost_usd,
            notebook=place.slug,
            snapshot=snapshot,
        )
    )
    try:
        recording.settle()
    except StoreError as error:
        return [str(error)]
    return []


def with_reply(receipt: Receipt, usage: LlmUsage) -> Receipt:
    """A receipt with what a language model used."""
    unknown = receipt.cost_usd is None or usage.cost_usd is None
    return replace(
        receipt,
        calls=receipt.calls + usage.calls,
        tokens=receipt.tokens + usage.prompt_tokens + usage.completion_tokens,
        cost_usd=None if unknown else (receipt.cost_usd or 0.0) + (usage.cost_usd or 0.0),
    )

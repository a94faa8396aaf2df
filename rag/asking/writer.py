"""What it is to write an answer: a language model does where one is set, and else nobody, and sentences are quoted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rag.asking.followups import Turn
    from rag.asking.frame import Frame
    from rag.asking.opening import Opened
    from rag.citing.answer import Answer, Passage
    from rag.models.llms import LlmUsage
    from rag.progress import IsCancelled
    from rag.sources.restriction import Restriction


@dataclass(frozen=True)
class Completed:
    """What to search for instead of a question that leans on the one above, what finding out used, and notes."""

    searched: str
    used: LlmUsage | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What would be made of passages: `parts` are tokens of what is sent, in order, and `sent` the numbers of the
    passages in it, None where nobody is sent any; `quotable` says whether a sentence of them would be quoted, None
    where a model writes."""

    parts: tuple[tuple[str, int], ...] = ()
    sent: frozenset[int] | None = None
    quotable: bool | None = None
    notes: tuple[str, ...] = ()


class Writer(Protocol):
    """Writes answers from what was found. `name` is the model, `none` without one, and `window` the tokens that it
    takes with its answer."""

    @property
    def name(self) -> str: ...

    @property
    def window(self) -> int | None: ...

    def completed(self, opened: Opened, question: str, earlier: Sequence[Turn], cancelled: IsCancelled) -> Completed:
        """A question that leans on those above, in full."""
        ...

    def written(self, frame: Frame, cancelled: IsCancelled) -> Iterator[str | Answer]:
        """Pieces of the answer's text as they come, then the Answer. A model that fails is an Answer that failed."""
        ...

    def preview(self, opened: Opened, question: str, passages: Sequence[Passage], only: Restriction | None) -> Preview:
        """What `written` would be made from. Costs nothing."""
        ...

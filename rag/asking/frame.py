"""What every kind of answer says of itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from rag.citing.answer import Answer, Citation, Found, Passage
from rag.home.verdicts import look
from rag.storage.stamp import now

if TYPE_CHECKING:
    from rag.asking.opening import Opened
    from rag.sources.restriction import Restriction

NOTHING = "Nothing in these sources is close to the question."

Kind = Literal["extractive", "generated", "nothing relevant", "failed", "stopped"]


@dataclass(frozen=True)
class Frame:
    """One question under way: what was asked, what was searched for in its place, and what was found. `started` is of
    the monotonic clock."""

    opened: Opened
    question: str
    searched: str
    found: Found
    started: float
    only: Restriction | None

    @property
    def elapsed(self) -> float:
        """Seconds since the question was asked."""
        return time.monotonic() - self.started

    def answer(
        self,
        kind: Kind,
        text: str,
        citations: Sequence[Citation] = (),
        passages: Sequence[Passage] | None = None,
        **more: Any,
    ) -> Answer:
        """The Answer, with what it is a question of; `more` are fields that differ from those of the search."""
        fields: dict[str, Any] = {
            "model": "none",
            "receipt": replace(self.found.receipt, seconds=round(self.elapsed, 4)),
            "notes": self.found.notes,
        } | more
        return Answer(
            question=self.question,
            text=text,
            kind=kind,
            citations=tuple(citations),
            passages=tuple(self.found.passages if passages is None else passages),
            snapshot=self.found.snapshot,
            verdict=look(self.opened.place, self.opened.config).verdict.name,
            recipe_fp=self.opened.manifest.recipe_fp,
            space=str(self.opened.questions.space),
            asked=now(),
            only=self.only,
            searched="" if self.searched == self.question else self.searched,
            **fields,
        )

    def nothing(self, **more: Any) -> Answer:
        """The Answer that declines."""
        return self.answer("nothing relevant", NOTHING, **more)

"""Re-ranking: the best of the fused candidates put into another order by a model. Off unless it is chosen.

Whatever becomes of it, nothing is lost: passages that the model leaves out keep their order behind those it names, and
where it fails, is stopped or takes too long, all of them keep the order of the fused scores, and a note says so.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rag.errors import BadKey, Cancelled, ModelError
from rag.home.spending import record_reply, with_reply
from rag.models.rerankers import CANDIDATES, NoReranker
from rag.progress import IsCancelled, never

if TYPE_CHECKING:
    from rag.citing.answer import Found, Passage
    from rag.config import Config
    from rag.home.place import Place
    from rag.models.llms import LlmUsage
    from rag.models.makers import Models
    from rag.models.rerankers import Reranker


_REMEMBERED = 256


class Reranking:
    """Re-ranking for one opened snapshot, as its settings say. Safe to share by threads.

    An order that was made before is remembered: it costs nothing to look at the same candidates of a question again.
    """

    def __init__(self, place: Place, config: Config, models: Models, snapshot: int) -> None:
        self._place, self._config, self._models = place, config, models
        self._snapshot = snapshot
        self._lock = threading.Lock()
        self._orders: OrderedDict[tuple[str, ...], list[int]] = OrderedDict()

    def depth(self, k: int) -> int:
        """How many passages to search for when `k` are wanted; `k` itself where nothing is re-ranked."""
        return k if self._config.reranker == "none" else max(k, CANDIDATES)  # making a re-ranker may take seconds

    def reranked(self, question: str, found: Found, *, cancelled: IsCancelled = never) -> Found:
        """The same passages, the best of them in the re-ranker's order, all numbered anew; what it cost is in the
        receipt and in the ledger. Where nothing is re-ranked, `found` itself.

        Raises:
            ConfigError: the chosen re-ranker is not installed.
        """
        reranker, why = self._reranker()
        head = found.passages[: reranker.candidates]
        if len(head) < 2:
            return replace(found, notes=(*found.notes, *why)) if len(found.passages) > 1 else found
        started = time.monotonic()
        question = question.encode("utf-8", "replace").decode()  # half of a surrogate pair: no model takes it
        notes: list[str] = []
        used: list[LlmUsage] = []
        order: list[int] = []
        try:
            order = self._order(reranker, question, head, cancelled, used, notes)
            if not order:
                notes.append(f"Not re-ranked: what {reranker.name} replied names no passage.")
        except Cancelled:
            notes.append("Not re-ranked, because it was stopped.")
        except ModelError as error:
            notes.append(f"Not re-ranked. {error}")
        receipt = found.receipt
        for usage in used:
            receipt = with_reply(receipt, usage)
        seconds = round(receipt.seconds + time.monotonic() - started, 4)
        passages = [found.passages[at] for at in permutation(order, len(found.passages))]
        return replace(
            found,
            passages=tuple(replace(one, n=n) for n, one in enumerate(passages, 1)),
            receipt=replace(receipt, seconds=seconds),
            notes=(*found.notes, *notes),
        )

    def _reranker(self) -> tuple[Reranker, tuple[str, ...]]:
        """What orders, and a note where that cannot."""
        try:
            return self._models.reranker(self._config), ()
        except BadKey as error:
            return NoReranker(), (f"Not re-ranked. {error}",)

    def _order(
        self,
        reranker: Reranker,
        question: str,
        passages: Sequence[Passage],
        cancelled: IsCancelled,
        used: list[LlmUsage],
        notes: list[str],
    ) -> list[int]:
        key = (self._config.reranker, reranker.name, question, *(one.chunk_id for one in passages))
        with self._lock:
            if key in self._orders:
                self._orders.move_to_end(key)
                return self._orders[key]

        def record(usage: LlmUsage) -> None:
            used.append(usage)
            notes.extend(record_reply(self._place, reranker.name, usage, "rerank", self._snapshot))

        order = reranker.order(question, [text_to_judge(one) for one in passages], cancelled=cancelled, record=record)
        if order:
            with self._lock:
                self._orders[key] = order
                if len(self._orders) > _REMEMBERED:
                    self._orders.popitem(last=False)
        return order


def text_to_judge(passage: Passage) -> str:
    """What a re-ranker is shown of a passage: its headings and its text."""
    heading = " ".join(passage.heading.split())
    return f"{heading}\n{passage.text}" if heading else passage.text


def permutation(said: Sequence[int], length: int) -> list[int]:
    """All positions from 0 to `length`: those that were said, each once, then the others in their order. What is no
    position is passed over. Pure."""
    first = [at for at in dict.fromkeys(said) if 0 <= at < length]
    return first + sorted(set(range(length)).difference(first))

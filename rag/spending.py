"""From a paid call to its line in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from rag.ledger import Ledger, entry
from rag.place import Place

if TYPE_CHECKING:
    from rag.embedding.embedder import Embedder

Purpose = Literal["build", "canary", "question", "answer", "adopt"]


@contextmanager
def recorded(
    place: Place, embedder: Embedder, model: str, purpose: Purpose, *, snapshot: int | None, space: str = ""
) -> Iterator[None]:
    """Write every paid call that `embedder` makes inside into the ledger, before its result is used."""
    ledger = Ledger(place.objects)

    def paid(texts: int, tokens: int, cost_usd: float | None) -> None:
        ledger.record(
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
        yield
    finally:
        embedder.on_paid(None)

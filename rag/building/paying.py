"""The one place of a build where a model is called: made when first needed, checked before it is used, and every paid
call written into the ledger before its result is used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag.config import Config
from rag.home.place import Place
from rag.home.spending import recorded
from rag.manifest import Receipt
from rag.progress import IsCancelled
from rag.spaces.space import Space

if TYPE_CHECKING:
    from rag.models.embedder import Embedder, Usage

MakeEmbedder = Callable[[Config], "Embedder"]


class Payments:
    """The embedding model of one build, and what it has cost so far, attempts included that lost the race to publish:
    the model is checked once for all of them.

    `snapshot` is the number being built, for the ledger; each attempt sets its own.
    """

    def __init__(self, place: Place, config: Config, make_embedder: MakeEmbedder) -> None:
        self._place = place
        self._config = config
        self._make = make_embedder
        self.snapshot: int | None = None
        self._embedder: Embedder | None = None
        self._before: Usage | None = None
        self._admitted: Space | None = None
        self.canary_texts = 0

    def admit(self) -> Space:
        """The space of the live model, checked by its canary.

        Raises:
            SpaceRefused: it is not the model of the saved vectors.
            ModelError: it cannot be made or fails.
        """
        if self._admitted is None:
            embedder = self._ready()
            before = embedder.usage.texts
            try:
                with recorded(self._place, embedder, self._config.embed_model, "canary", snapshot=self.snapshot):
                    self._admitted = self._place.admission.admit(embedder, self._config)
            finally:
                self.canary_texts += embedder.usage.texts - before
        return self._admitted

    def embed(
        self, texts: Sequence[str], cancelled: IsCancelled
    ) -> Generator[tuple[list[int], npt.NDArray[np.float32]], None, None]:
        """As `Embedder.embed` for texts, after the model was admitted. Keep each batch before asking for the next, and
        close the iterator when you stop early.

        Raises:
            StoreError: the ledger has no line of the batch before.
        """
        space = self.admit()
        embedder = self._ready()
        with recorded(
            self._place,
            embedder,
            self._config.embed_model,
            "build",
            snapshot=self.snapshot,
            space=space.fingerprint,
        ) as recording:
            for batch in embedder.embed(texts, "text", cancelled=cancelled):
                yield batch
                recording.settle()  # only now: the caller has kept what was paid for

    def used(self) -> tuple[int, float | None]:
        """Tokens and US dollars (None: unknown) so far."""
        if self._embedder is None or self._before is None:
            return 0, 0.0
        used = self._embedder.usage - self._before
        return used.tokens, used.cost_usd

    def receipt(self, saved_texts: int, seconds: float, stages: dict[str, float]) -> Receipt:
        """What the build has cost."""
        rounded = {name: round(value, 4) for name, value in stages.items()}
        if self._embedder is None or self._before is None:
            return Receipt(saved_texts=saved_texts, seconds=round(seconds, 4), stages=rounded)
        used = self._embedder.usage - self._before
        return Receipt(
            calls=used.calls,
            texts=used.texts - self.canary_texts,
            tokens=used.tokens,
            cost_usd=used.cost_usd,
            saved_texts=saved_texts,
            canary_texts=self.canary_texts,
            seconds=round(seconds, 4),
            stages=rounded,
        )

    def _ready(self) -> Embedder:
        if self._embedder is None:
            self._embedder = self._make(self._config)
            self._before = self._embedder.usage
        return self._embedder

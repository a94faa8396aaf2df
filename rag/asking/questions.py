"""The vector of a question in the space of a snapshot. Never of another space."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from rag.config import Config
from rag.errors import BadKey, Damaged, ModelMissing, NotFound
from rag.home.place import Place
from rag.home.spending import Purpose, Recording, recorded
from rag.settings import LOCAL_MODEL, LOCAL_MODELS
from rag.spaces.saved import draft
from rag.spaces.space import Space

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rag.models.embedder import Embedder, Usage

_REMEMBERED = 256


class Questions:
    """Embeds questions for one snapshot. Safe to share by threads; the model is made at the first question.

    Where the configured model is another one, a local model answers for its own space, because it needs no
    settings; for any other space there is no vector, and searching goes by words alone.
    """

    def __init__(
        self,
        space: Space,
        place: Place,
        config: Config,
        make_embedder: Callable[[Config], Embedder],
        snapshot: int | None = None,
    ) -> None:
        self.space = space
        self._place = place
        self._snapshot = snapshot
        self._config = config
        self._make = make_embedder
        self._lock = threading.Lock()
        self._embedder: Embedder | None = None
        self._checked = False
        self._missing = False
        self._vectors: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()

    @property
    def config(self) -> Config | None:
        """Settings whose model makes vectors of this space; None where there are none."""
        fields = draft(self._config)
        if {**asdict(self.space), **fields} == asdict(self.space):
            return self._config
        if self.space.provider != "local" or self.space.model not in LOCAL_MODELS:
            return None
        local = replace(
            self._config, embedder="local", embed_model=self.space.model, embed_base_url=None, embed_dimensions=None
        )
        return local if {**asdict(self.space), **draft(local)} == asdict(self.space) else None

    def vector(self, text: str) -> tuple[npt.NDArray[np.float32] | None, str]:
        """The (d,) float32 vector of a question, L2-normalised; or None and why there is none, in a sentence: without
        a key, and where a local model is not installed, there is none.

        A question asked before costs nothing. The first one of a process checks the model by its canary, unless the
        model's weights are part of the space by digest.

        Raises:
            SpaceRefused: the live model is not the one of this space.
            ModelError: it failed.
        """
        with self._lock:
            if text in self._vectors:
                self._vectors.move_to_end(text)
                return self._vectors[text], ""
            embedder, note = self._ready()
            if embedder is None:
                return None, note
            try:
                with self._recorded(embedder, "question"):
                    vector = embedder.embed_query(text)
                    self._vectors[text] = vector  # inside: where the ledger fails, what was paid for is kept
                    self._missing = False
            except ModelMissing as error:  # only loading a local model finds that a file is not the one it should be
                self._missing = True
                return None, f"Searched by words only. {error}"
            if len(self._vectors) > _REMEMBERED:
                self._vectors.popitem(last=False)
            return vector, ""

    def usage(self) -> Usage:
        """What questions have used so far."""
        from rag.models.embedder import Usage

        return self._embedder.usage if self._embedder else Usage()

    @property
    def canary_texts(self) -> int:
        """Texts embedded to check the model, so far."""
        return self._canary_texts

    _canary_texts = 0

    def local(self) -> Embedder | None:
        """The embedder where using it is free of charge and its cosines are those that thresholds were measured with:
        for scoring sentences."""
        usable = self.space.provider == "local" and self.space.model == LOCAL_MODEL and not self._missing
        return self._embedder if usable else None

    def _recorded(self, embedder: Embedder, purpose: Purpose) -> AbstractContextManager[Recording]:
        return recorded(
            self._place, embedder, self.space.model, purpose, snapshot=self._snapshot, space=self.space.fingerprint
        )

    def _ready(self) -> tuple[Embedder | None, str]:
        config = self.config
        if config is None:
            return None, (
                f"Searched by words only: this snapshot was built with {self.space}, which is not what the settings "
                "name now. Switch the settings back, or build a new index."
            )
        if self._embedder is None:
            try:
                self._embedder = self._make(config)
            except (BadKey, ModelMissing) as error:
                return None, f"Searched by words only. {error}"
        if not self._checked and not self.space.revision:
            before = self._embedder.usage.texts
            try:
                with self._recorded(self._embedder, "canary"):
                    live = self._place.admission.check(self.space, self._embedder)
                    self._checked = live == self.space  # inside: where the ledger fails, it was paid for
            except (Damaged, NotFound) as error:  # a model that cannot be checked is not used
                return None, f"Searched by words only, because the model cannot be checked. {error}"
            finally:
                self._canary_texts += self._embedder.usage.texts - before
            if live != self.space:
                return None, (
                    "Searched by words only: this snapshot was built with another model than the one that answers to "
                    f"{self.space.model} now, which has a saved space of its own. Build to switch to it; nothing is "
                    "paid for twice."
                )
        self._checked = True
        return self._embedder, ""

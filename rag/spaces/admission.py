"""Is the model that answers now still the one of the saved vectors? Its canary is asked, compared and remembered.

What is saved, and what it is called, is in `saved`; here is what it takes to be let in. Nothing is mixed: a model that
agrees with no saved canary is refused, and has a space of its own only when somebody asks for one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rag.config import Config
from rag.errors import AlreadyExists, Damaged, NotFound, SpaceRefused, VectorInvalid
from rag.spaces.canary import CANARY_COSINE, agreement, canary_of
from rag.spaces.saved import Spaces, draft
from rag.spaces.space import Space

if TYPE_CHECKING:
    from rag.models.embedder import Embedder
    from rag.spaces.canary import Canary

CANARY_LOST = (
    "Without it nothing tells whether the model is still the one of the saved vectors. "
    "`python -m rag doctor --repair` tells by the index, and makes it anew."
)


class Admission:
    """Lets live models into the saved spaces of one workspace."""

    def __init__(self, spaces: Spaces, *, fresh_seconds: float = 60.0) -> None:
        """`fresh_seconds`: for how long the canary that `branch` paid for also serves the next `admit`."""
        self._spaces = spaces
        self._fresh_seconds = fresh_seconds
        self._paid: tuple[Config, float, Canary] | None = None

    def admit(self, embedder: Embedder, config: Config) -> Space:
        """The space of a live model, checked by its canary or, for a model not met before, saved with one. Where the
        wanted variant does not agree, another that does is the wanted one from now on.

        Costs eight texts (sixteen where queries are embedded in another way), in one or two calls; nothing when the
        model's weights are part of the space by digest and the space is known.

        Raises:
            SpaceRefused: the model answers to a saved space's description and gives the vectors of no variant of it.
            Damaged: there are vectors of such a model, and no canary that tells whether it made them.
            ModelError: the model failed.
        """
        fields = draft(config)
        described = self._spaces.described(config)
        known = self._spaces.answering(described)
        if known is not None and fields["revision"]:
            return known
        live = self._just_paid(config)
        if known is not None:
            return self._recognised(known, [one for one in described if one != known], embedder, live)
        live = live or canary_of(embedder, fields)
        space = self._met(Space(**{**fields, "dimensions": int(live[0].shape[1])}), embedder, config, live)
        self._spaces.note_default(space, fields)
        return space

    def check(self, space: Space, embedder: Embedder, live: Canary | None = None) -> Space:
        """Compare a live model with the canary of a saved space, and with other variants of it. Gives the one that
        agrees, `space` first. A refusal is noted, so that the next look tells of it without a call; agreeing takes the
        note away. `live` is its canary where that was paid for already.

        Raises:
            SpaceRefused: another dimension, or a cosine under `CANARY_COSINE`, and no other variant agrees.
            NotFound, Damaged: the saved canary cannot be read.
            ModelError: the model failed.
        """
        return self._recognised(space, self._spaces.variants(space), embedder, live)

    def branch(self, embedder: Embedder, config: Config) -> Space:
        """The variant of the wanted space that the model which answers now agrees with, a new one where none does:
        after REFUSED, when the user asks for it. Costs the canary, which then serves the next `admit` too."""
        fields = draft(config)
        live = canary_of(embedder, fields)
        plain = {**fields, "dimensions": int(live[0].shape[1])}
        taken = [space for space in self._spaces.all() if {**asdict(space), **plain} == asdict(space)]
        space = self._agreeing(taken, live) or self._new_variant(plain, taken, live, config)
        self._spaces.note_default(space, fields)
        self._spaces.note_live(space, self._spaces.described(config))
        self._paid = (config, time.monotonic(), live)
        return space

    def renew(self, space: Space, embedder: Embedder, endpoint: str) -> None:
        """Write a lost `space.json` anew, with the canary of a live model that the caller has checked by other means.

        Raises:
            AlreadyExists: it is not lost.
            ModelError: the model failed.
        """
        self._spaces.create(space, endpoint, canary_of(embedder, asdict(space)))

    def _met(self, space: Space, embedder: Embedder, config: Config, live: Canary) -> Space:
        """Save the space of a model that is met for the first time, as far as anybody knows."""
        if not space.revision and self._spaces.headless(space):
            raise Damaged(f"{self._spaces.name(space)} is missing. {CANARY_LOST}")
        try:
            self._create(space, config, live)
        except AlreadyExists:
            try:
                self.check(space, embedder, live)
            except (Damaged, NotFound) as error:
                if not space.revision:
                    raise Damaged(f"{error} {CANARY_LOST}") from error
                # The weights are in the name by digest: what the file said is known without it.
                self._spaces.drop(space)
                self._create(space, config, live)
        return space

    def _create(self, space: Space, config: Config, live: Canary) -> None:
        self._spaces.create(space, config.embed_base_url or "", live, config.embed_dimensions)

    def _new_variant(self, plain: Mapping[str, Any], taken: Sequence[Space], live: Canary, config: Config) -> Space:
        variant = max((space.variant for space in taken), default=-1)
        while True:
            variant += 1
            space = Space(**{**plain, "variant": variant})
            if self._spaces.headless(space):
                continue
            try:
                self._create(space, config, live)
            except AlreadyExists:  # damaged, or made by another process just now
                if not self._agreeing([space], live):
                    continue
            return space

    def _just_paid(self, config: Config) -> Canary | None:
        """The canary that `branch` just paid for with these settings. It serves once."""
        paid, self._paid = self._paid, None
        if paid is None or paid[0] != config or time.monotonic() - paid[1] > self._fresh_seconds:
            return None
        return paid[2]

    def _agreeing(self, variants: Iterable[Space], live: Canary) -> Space | None:
        """The first of `variants` that agrees; one whose canary cannot be read does not."""
        for space in variants:
            try:
                saved = self._spaces.get(space.fingerprint)
            except (NotFound, Damaged):
                continue  # `doctor` names it
            if agreement(saved.canary, live) >= CANARY_COSINE:
                return space
        return None

    def _recognised(self, space: Space, others: Sequence[Space], embedder: Embedder, live: Canary | None) -> Space:
        try:
            found = self._compare(space, others, embedder, live)
        except SpaceRefused as error:
            for one in (space, *others):
                self._spaces.note_refusal(one, str(error))
            raise
        self._spaces.note_live(found, [space, *others])
        return found

    def _compare(self, space: Space, others: Sequence[Space], embedder: Embedder, live: Canary | None) -> Space:
        saved = self._spaces.get(space.fingerprint)
        if live is None:
            try:
                live = canary_of(embedder, asdict(space))
            except VectorInvalid as error:
                raise SpaceRefused(
                    f"The saved vectors are from {space}, and the model that answers to this name now is another one, "
                    f"or out of order. {error} Or build a new index for the new one. Nothing was mixed."
                ) from error
        least = agreement(saved.canary, live)
        if least >= CANARY_COSINE:
            return space
        found = self._agreeing(others, live)
        if found is not None:
            return found
        if live[0].shape[1] != space.dimensions:
            raise SpaceRefused(
                f"The saved vectors are from {space}, and the model that answers to this name now returns "
                f"{live[0].shape[1]} dimensions. Set the model back, or build a new index for the new one."
            )
        raise SpaceRefused(
            f"The saved vectors are from {space}, and the model that answers to this name now is another one: "
            f"its test vectors agree to {least:.4f} only, and {CANARY_COSINE} is needed. "
            "Set the model back, or build a new index for the new one. Nothing was mixed."
        )

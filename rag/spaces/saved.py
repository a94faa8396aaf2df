"""Spaces: which vectors are comparable, and the canary that tells when a model changed behind its name.

A space is written field by field, never taken from a model object: those hold API keys. Endpoint, key, timeouts,
batch sizes and retries are no part of it; the endpoint is recorded as provenance, and the canary decides.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rag.checked import FORMAT, dump_checked, load_checked
from rag.config import Config
from rag.errors import AlreadyExists, Damaged, NewerFormat, NotFound, SpaceRefused, StoreError, VectorInvalid
from rag.fingerprint import fingerprint
from rag.spaces import canary
from rag.spaces.canary import CANARY_COSINE, agreement, canary_of
from rag.spaces.space import Space
from rag.storage import layout
from rag.storage.objects import Objects
from rag.storage.stamp import now

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rag.models.embedder import Embedder
    from rag.spaces.canary import Canary


CANARY_LOST = (
    "Without it nothing tells whether the model is still the one of the saved vectors. "
    "`python -m rag doctor --repair` tells by the index, and makes it anew."
)


@dataclass(frozen=True)
class SavedSpace:
    """A space with its canary: (8, d) float32 vectors as texts and as queries. `endpoint` is provenance only."""

    space: Space
    created: str
    endpoint: str
    text_vectors: npt.NDArray[np.float32]
    query_vectors: npt.NDArray[np.float32]

    @property
    def canary(self) -> Canary:
        """Both, to be compared with those of a live model."""
        return self.text_vectors, self.query_vectors


def draft(config: Config) -> dict[str, Any]:
    """What the settings say of the space: all fields but `dimensions` (which only the model can tell, unless known)
    and `variant`. Imports no model."""
    from rag.models.identity import identity

    return identity(config)


class Spaces:
    """The saved spaces of one workspace.

    Of several variants of one description, the live model is of the one that last agreed with its canary.
    """

    def __init__(self, objects: Objects, *, fresh_seconds: float = 60.0) -> None:
        """`fresh_seconds`: for how long the canary that `branch` paid for also serves the next `admit`."""
        self._objects = objects
        self._fresh_seconds = fresh_seconds
        self._paid: tuple[Config, float, Canary] | None = None

    def folder(self, fp: str) -> str:
        """Folder of a space below the workspace."""
        return layout.space(fp)

    def all(self) -> list[Space]:
        """Every saved space that passes its check, oldest first."""
        found = []
        for name in self._objects.folders(layout.SPACES):
            if name.startswith("."):
                continue  # the rest of one that was being deleted
            try:
                body = self._body(f"{layout.SPACES}/{name}/space.json")
            except (NotFound, Damaged):
                continue  # `doctor` names it; a space that cannot be read is one that is not known
            found.append((str(body["created"]), Space(**body["space"])))
        return [space for _, space in sorted(found, key=lambda pair: pair[0])]

    def note_recipe(self, space: Space, recipe: Mapping[str, Any]) -> None:
        """Note that texts are about to be embedded in a space as this recipe splits them. Without the note nobody could
        tell, once its snapshots are forgotten, which texts the vectors are of: purging needs it."""
        name = layout.space_recipes(space.fingerprint, fingerprint(recipe))
        if not self._objects.exists(name):
            with contextlib.suppress(AlreadyExists):
                self._objects.create(name, dump_checked({"format": FORMAT, "recipe": recipe}))

    def recipes(self, fp: str) -> list[dict[str, Any]]:
        """The recipes noted for a space. A note that fails its check is passed over."""
        found = []
        for name in self._objects.names(layout.space_recipes(fp)):
            with contextlib.suppress(NotFound, Damaged):
                found.append(dict(self._body(name)["recipe"]))
        return found

    def wanted(self, config: Config) -> Space | None:
        """The saved space that the settings describe, of several variants the one of the live model as far as known;
        None when nothing was ever embedded with them.

        Settings that leave the dimensions to the model only match what the model gave when it was left to it: a space
        of shortened vectors has the same description otherwise.
        """
        return self._answering(self._described(config))

    def _described(self, config: Config) -> list[Space]:
        """Every saved variant that the settings describe, oldest first."""
        fields = draft(config)
        return [
            space
            for space in self.all()
            if {**asdict(space), **fields, "variant": space.variant} == asdict(space)
            and ("dimensions" in fields or self._is_default(space))
        ]

    def _variants(self, space: Space) -> list[Space]:
        """The other saved variants of the description of `space`."""
        one = asdict(space)
        found = []
        for other in self.all():
            same = {**asdict(other), "variant": space.variant, "dimensions": space.dimensions} == one
            if not same or other == space:
                continue
            if other.dimensions == space.dimensions or (self._is_default(space) and self._is_default(other)):
                found.append(other)
        return found

    def _answering(self, variants: Sequence[Space]) -> Space | None:
        """Of several variants (oldest first), the one that the live model last agreed with; else the newest."""
        if len(variants) < 2:
            return variants[0] if variants else None
        return max(enumerate(variants), key=lambda pair: (self._agreed_at(pair[1]), pair[0]))[1]

    def _agreed_at(self, space: Space) -> str:
        try:
            return str(self._body(self._live_name(space)).get("created", ""))
        except (NotFound, Damaged):
            return ""

    def _live_name(self, space: Space) -> str:
        return layout.space_live(space.fingerprint)

    def _is_default(self, space: Space) -> bool:
        """Whether the dimensions are what the model gives when it is not asked for any."""
        body = self._body(layout.space_description(space.fingerprint))
        return body.get("asked") is None or self._objects.exists(self._default_name(space))

    def _default_name(self, space: Space) -> str:
        return layout.space_default(space.fingerprint)

    def branch(self, embedder: Embedder, config: Config) -> Space:
        """The variant of the wanted space that the model which answers now agrees with, a new one where none does:
        after REFUSED, when the user asks for it. Costs the canary, which then serves the next `admit` too."""
        fields = draft(config)
        live = canary_of(embedder, fields)
        plain = {**fields, "dimensions": int(live[0].shape[1])}
        taken = [space for space in self.all() if {**asdict(space), **plain} == asdict(space)]
        space = self._agreeing(taken, live) or self._new_variant(plain, taken, live, config)
        self._mark_default(space, fields)
        self._note_live(space, self._described(config))
        self._paid = (config, time.monotonic(), live)
        return space

    def _new_variant(self, plain: Mapping[str, Any], taken: Sequence[Space], live: Canary, config: Config) -> Space:
        variant = max((space.variant for space in taken), default=-1)
        while True:
            variant += 1
            space = Space(**{**plain, "variant": variant})
            if self._headless(space):
                continue
            try:
                self._objects.create(
                    layout.space_description(space.fingerprint),
                    _saved(space, config.embed_base_url or "", *live, config.embed_dimensions),
                )
            except AlreadyExists:  # damaged, or made by another process just now
                if not self._agreeing([space], live):
                    continue
            return space

    def _headless(self, space: Space) -> bool:
        """Whether there are vectors without a canary: any model would be taken for the one that made them."""
        vectors, told = layout.vectors(space.fingerprint), layout.space_description(space.fingerprint)
        return self._objects.is_folder(vectors) and not self._objects.exists(told)

    def _agreeing(self, variants: Iterable[Space], live: Canary) -> Space | None:
        """The first of `variants` that agrees; one whose canary cannot be read does not."""
        for space in variants:
            try:
                saved = self.get(space.fingerprint)
            except (NotFound, Damaged):
                continue  # `doctor` names it
            if agreement(saved.canary, live) >= CANARY_COSINE:
                return space
        return None

    def _mark_default(self, space: Space, fields: Mapping[str, Any]) -> None:
        """Note that a space first met by asking for its dimensions is what the model gives by itself."""
        if "dimensions" not in fields and not self._is_default(space):
            with contextlib.suppress(AlreadyExists):
                self._objects.create(self._default_name(space), dump_checked({"format": FORMAT, "asked": None}))

    def get(self, fp: str) -> SavedSpace:
        """A saved space by its fingerprint.

        Raises:
            NotFound, Damaged, NewerFormat
        """
        space, created, endpoint, raw = self._read(fp)
        return SavedSpace(space, created, endpoint, *canary.vectors(raw, space.dimensions))

    def check_saved(self, fp: str) -> None:
        """As `get`, for looking: without numpy."""
        self._read(fp)

    def _read(self, fp: str) -> tuple[Space, str, str, tuple[bytes, bytes]]:
        """A saved space, when and at which endpoint it was met, and its canary as little-endian float32."""
        name = layout.space_description(fp)
        body = self._body(name)
        space = Space(**body["space"])
        if space.fingerprint != fp:
            raise Damaged(f"{name} fails its check: it describes another space.")
        try:
            return space, str(body["created"]), str(body["endpoint"]), canary.read(body["canary"], space.dimensions)
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"{name} fails its check: {error!r} while reading its canary.") from error

    def _body(self, name: str) -> Mapping[str, Any]:
        body = load_checked(self._objects.get(name), name)
        if int(body.get("format", 0)) > FORMAT:
            raise NewerFormat(f"{name} has storage format {body['format']}, and this Ragbook knows up to {FORMAT}.")
        return body

    def admit(self, embedder: Embedder, config: Config) -> Space:
        """The space of a live model, checked by its canary or, for a model not met before, saved with one. Where the
        wanted variant does not agree, another that does is the wanted one from now on.

        Costs eight texts (sixteen where queries are embedded in another way), in one or two calls; nothing when the
        model's weights are part of the space by digest and the space is known.

        Raises:
            SpaceRefused: the model answers to a saved space's description and gives the vectors of no variant of it.
        """
        fields = draft(config)
        described = self._described(config)
        known = self._answering(described)
        if known is not None and fields["revision"]:
            return known
        live = self._just_paid(config)
        if known is not None:
            return self._recognised(known, [one for one in described if one != known], embedder, live)
        texts, queries = live or canary_of(embedder, fields)
        space = Space(**{**fields, "dimensions": int(texts.shape[1])})
        name = layout.space_description(space.fingerprint)
        if not space.revision and self._headless(space):
            raise Damaged(f"{name} is missing. {CANARY_LOST}")
        body = _saved(space, config.embed_base_url or "", texts, queries, config.embed_dimensions)
        try:
            self._objects.create(name, body)
        except AlreadyExists:
            try:
                self.check(space, embedder, texts, queries)
            except (Damaged, NotFound) as error:
                if not space.revision:
                    raise Damaged(f"{error} {CANARY_LOST}") from error
                # The weights are in the name by digest: what the file said is known without it.
                self._objects.delete(name)
                self._objects.create(name, body)
        self._mark_default(space, fields)
        return space

    def _just_paid(self, config: Config) -> Canary | None:
        """The canary that `branch` just paid for with these settings. It serves once."""
        paid, self._paid = self._paid, None
        if paid is None or paid[0] != config or time.monotonic() - paid[1] > self._fresh_seconds:
            return None
        return paid[2]

    def renew(self, space: Space, embedder: Embedder, endpoint: str) -> None:
        """Write a lost `space.json` anew, with the canary of a live model that the caller has checked by other means.

        Raises:
            AlreadyExists: it is not lost.
            ModelError: the model failed.
        """
        texts, queries = canary_of(embedder, asdict(space))
        name = layout.space_description(space.fingerprint)
        self._objects.create(name, _saved(space, endpoint, texts, queries))

    def check(
        self,
        space: Space,
        embedder: Embedder,
        texts: npt.NDArray[np.float32] | None = None,
        queries: npt.NDArray[np.float32] | None = None,
    ) -> Space:
        """Compare a live model with the canary of a saved space, and with other variants of it. Gives the one that
        agrees, `space` first. A refusal is noted, so that the next look tells of it without a call; agreeing takes the
        note away.

        Raises:
            SpaceRefused: another dimension, or a cosine under `CANARY_COSINE`, and no other variant agrees.
        """
        live = None if texts is None or queries is None else (texts, queries)
        return self._recognised(space, self._variants(space), embedder, live)

    def _recognised(self, space: Space, others: Sequence[Space], embedder: Embedder, live: Canary | None) -> Space:
        try:
            found = self._compare(space, others, embedder, live)
        except SpaceRefused as error:
            for one in (space, *others):
                self._note(self._refusal_name(one), {"sentence": str(error)})
            raise
        self._note_live(found, [space, *others])
        return found

    def _note_live(self, live: Space, variants: Sequence[Space]) -> None:
        """Note which of the variants the live model is of; none of them is refused any more."""
        for one in variants:
            self._note(self._refusal_name(one))
        noted = [one for one in variants if self._agreed_at(one)]
        if len(variants) > 1 and noted != [live]:
            for one in variants:
                self._note(self._live_name(one))
            self._note(self._live_name(live), {})

    def _note(self, name: str, body: Mapping[str, Any] | None = None) -> None:
        """Replace a note; without `body`, remove it."""
        with contextlib.suppress(StoreError):  # a note: without it the next call says the same again
            self._objects.delete(name)
            if body is not None:
                self._objects.create(name, dump_checked({"format": FORMAT, **body, "created": now()}))

    def refusal(self, space: Space) -> str:
        """The sentence with which the live model was last refused; empty when it was not, or agreed since."""
        try:
            return str(self._body(self._refusal_name(space)).get("sentence", ""))
        except (NotFound, Damaged):
            return ""

    def _refusal_name(self, space: Space) -> str:
        return layout.space_refused(space.fingerprint)

    def _compare(self, space: Space, others: Sequence[Space], embedder: Embedder, live: Canary | None) -> Space:
        saved = self.get(space.fingerprint)
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
        texts = live[0]
        if texts.shape[1] != space.dimensions:
            raise SpaceRefused(
                f"The saved vectors are from {space}, and the model that answers to this name now returns "
                f"{texts.shape[1]} dimensions. Set the model back, or build a new index for the new one."
            )
        raise SpaceRefused(
            f"The saved vectors are from {space}, and the model that answers to this name now is another one: "
            f"its test vectors agree to {least:.4f} only, and {CANARY_COSINE} is needed. "
            "Set the model back, or build a new index for the new one. Nothing was mixed."
        )


def _saved(
    space: Space,
    endpoint: str,
    texts: npt.NDArray[np.float32],
    queries: npt.NDArray[np.float32],
    asked: int | None = None,
) -> bytes:
    return dump_checked(
        {
            "format": FORMAT,
            "space": asdict(space),
            "created": now(),
            "endpoint": endpoint,
            "asked": asked,
            "canary": canary.written((texts, queries)),
        }
    )

"""Saved spaces: which vectors are comparable, with the canary of the model that made them, and notes beside them.

A space is written field by field, never taken from a model object: those hold API keys. Endpoint, key, timeouts,
batch sizes and retries are no part of it; the endpoint is recorded as provenance, and the canary decides (`admission`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rag.checked import FORMAT, dump_checked, load_checked
from rag.config import Config
from rag.errors import AlreadyExists, Damaged, NewerFormat, NotFound, StoreError
from rag.fingerprint import fingerprint
from rag.spaces import canary
from rag.spaces.space import Space
from rag.storage import layout
from rag.storage.objects import Objects
from rag.storage.stamp import now

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rag.spaces.canary import Canary


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

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

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
        return self.answering(self.described(config))

    def described(self, config: Config) -> list[Space]:
        """Every saved variant that the settings describe, oldest first."""
        fields = draft(config)
        return [
            space
            for space in self.all()
            if {**asdict(space), **fields, "variant": space.variant} == asdict(space)
            and ("dimensions" in fields or self._is_default(space))
        ]

    def variants(self, space: Space) -> list[Space]:
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

    def answering(self, variants: Sequence[Space]) -> Space | None:
        """Of several variants (oldest first), the one that the live model last agreed with; else the newest."""
        if len(variants) < 2:
            return variants[0] if variants else None
        return max(enumerate(variants), key=lambda pair: (self._agreed_at(pair[1]), pair[0]))[1]

    def _agreed_at(self, space: Space) -> str:
        try:
            return str(self._body(layout.space_live(space.fingerprint)).get("created", ""))
        except (NotFound, Damaged):
            return ""

    def _is_default(self, space: Space) -> bool:
        """Whether the dimensions are what the model gives when it is not asked for any."""
        body = self._body(layout.space_description(space.fingerprint))
        return body.get("asked") is None or self._objects.exists(layout.space_default(space.fingerprint))

    def headless(self, space: Space) -> bool:
        """Whether there are vectors without a canary: any model would be taken for the one that made them."""
        vectors, told = layout.vectors(space.fingerprint), layout.space_description(space.fingerprint)
        return self._objects.is_folder(vectors) and not self._objects.exists(told)

    def note_default(self, space: Space, fields: Mapping[str, Any]) -> None:
        """Note that a space first met by asking for its dimensions is what the model gives by itself."""
        if "dimensions" not in fields and not self._is_default(space):
            with contextlib.suppress(AlreadyExists):
                self._objects.create(
                    layout.space_default(space.fingerprint), dump_checked({"format": FORMAT, "asked": None})
                )

    def name(self, space: Space) -> str:
        """Name of the object that holds a space."""
        return layout.space_description(space.fingerprint)

    def create(self, space: Space, endpoint: str, live: Canary, asked: int | None = None) -> None:
        """Save a space with the canary of the model that it was met by; `asked` are the dimensions that were asked for.

        Raises:
            AlreadyExists: there is an object of its name, intact or not.
        """
        body = {
            "format": FORMAT,
            "space": asdict(space),
            "created": now(),
            "endpoint": endpoint,
            "asked": asked,
            "canary": canary.written(live),
        }
        self._objects.create(self.name(space), dump_checked(body))

    def drop(self, space: Space) -> None:
        """Remove what is saved of a space, damaged or not. Its vectors and notes stay."""
        self._objects.delete(self.name(space))

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

    def refusal(self, space: Space) -> str:
        """The sentence with which the live model was last refused; empty when it was not, or agreed since."""
        try:
            return str(self._body(layout.space_refused(space.fingerprint)).get("sentence", ""))
        except (NotFound, Damaged):
            return ""

    def note_refusal(self, space: Space, sentence: str) -> None:
        """Note that the live model was refused, so that the next look tells of it without a call."""
        self._note(layout.space_refused(space.fingerprint), {"sentence": sentence})

    def note_live(self, live: Space, variants: Sequence[Space]) -> None:
        """Note which of the variants the live model is of; none of them is refused any more."""
        for one in variants:
            self._note(layout.space_refused(one.fingerprint))
        noted = [one for one in variants if self._agreed_at(one)]
        if len(variants) > 1 and noted != [live]:
            for one in variants:
                self._note(layout.space_live(one.fingerprint))
            self._note(layout.space_live(live.fingerprint), {})

    def _note(self, name: str, body: Mapping[str, Any] | None = None) -> None:
        """Replace a note; without `body`, remove it."""
        with contextlib.suppress(StoreError):  # a note: without it the next call says the same again
            self._objects.delete(name)
            if body is not None:
                self._objects.create(name, dump_checked({"format": FORMAT, **body, "created": now()}))

"""Deleting a saved space: explicit, and after saying what it would cost to get it back.

The folder is renamed aside first, so that a space is there whole or not at all; what a crash leaves of it is garbage.
"""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, replace

from rag.errors import Damaged, NotFound, RagbookError
from rag.home.place import Place
from rag.home.vectors import vectors_in
from rag.manifest import Manifest
from rag.spaces.space import Space
from rag.storage import layout
from rag.storage.failures import translated
from rag.storage.ledger import Ledger
from rag.storage.objects import TEMPORARY
from rag.text.counting import count


@dataclass(frozen=True)
class Removal:
    """What deleting a space takes along, in a sentence; `done` when it was done.

    Getting it back means embedding `vectors` texts: `tokens` and `cost_usd` as they were when they were paid for. Each
    None where unknown.
    """

    sentence: str
    vectors: int | None
    done: bool
    tokens: int | None = None
    cost_usd: float | None = None


def remove_space(place: Place, fingerprint: str, *, sure: bool, wait_seconds: float = 60) -> Removal:
    """Delete the space whose fingerprint begins with `fingerprint`, with its cached vectors.

    Raises:
        NotFound: no saved space, or more than one, begins so.
        Busy: a notebook of the workspace is being built or imported, still after `wait_seconds`: it may be about to use
            the space.
        RagbookError: a snapshot of a notebook of the workspace is in this space; forget those first.
    """
    space = _found(place, fingerprint)
    if not sure:
        removal = _looked_at(place, space)
        return replace(removal, sentence=f"{removal.sentence} Say --yes to delete it.")
    with ExitStack() as leases, translated(layout.space(space.fingerprint)):
        deadline = time.monotonic() + wait_seconds
        leases.enter_context(place.alone(wait_seconds=wait_seconds))
        for slug in place.objects.folders(layout.NOTEBOOKS):
            left = max(0.0, deadline - time.monotonic())
            leases.enter_context(Place(place.objects, slug).lease(wait_seconds=left))
        removal = _looked_at(place, space)  # nobody builds now, so what nobody uses stays unused
        aside = f"{TEMPORARY}deleted-{uuid.uuid4().hex}"
        place.files.rename(layout.space(space.fingerprint), aside)
        place.files.remove(f"{layout.SPACES}/{aside}")
    return replace(removal, sentence=f"Deleted the space {space} with {_counted(removal.vectors)}.", done=True)


def _found(place: Place, fingerprint: str) -> Space:
    found = [space for space in place.spaces.all() if space.fingerprint.startswith(fingerprint)]
    if len(fingerprint) < 4 or len(found) != 1:
        raise NotFound(f"{len(found)} spaces begin with {fingerprint!r}. Give at least 4 digits of one: see `spaces`.")
    return found[0]


def _looked_at(place: Place, space: Space) -> Removal:
    """What deleting would mean; raises where the space is in use."""
    vectors = vectors_in(place, space)
    tokens, cost = (None, None) if vectors is None else _paid(place, space, vectors)
    known = "tokens unknown" if tokens is None else f"about {count(tokens, 'token')}"
    price = "at an unknown price" if cost is None else "free of charge" if cost == 0.0 else f"about ${cost:,.6f}"
    sentence = (
        f"The space {space} has {_counted(vectors)}. Getting it back would mean embedding "
        f"{'all its texts' if vectors is None else count(vectors, 'text')} again ({known}, {price})."
    )
    used = _used_by(place, space.fingerprint)
    if used:
        raise RagbookError(f"{sentence} Snapshots of {', '.join(used)} are in it: forget those first.")
    return Removal(sentence, vectors, False, tokens, cost)


def _counted(vectors: int | None) -> str:
    return "vectors that cannot be read" if vectors is None else count(vectors, "vector")


def _paid(place: Place, space: Space, vectors: int) -> tuple[int | None, float | None]:
    """Tokens and US dollars (None: unknown) that so many texts cost, by what the ledger says of the space."""
    lines = [one for one in Ledger(place.objects).entries() if one.space == space.fingerprint and one.texts]
    lines = [one for one in lines if one.purpose in ("build", "adopt")]
    texts = sum(one.texts for one in lines)
    share = vectors / texts if texts else 0.0
    tokens = round(share * sum(one.tokens for one in lines)) if texts or not vectors else None
    if space.provider == "local" or not vectors:
        return tokens, 0.0
    costs = [one.cost_usd for one in lines if one.cost_usd is not None]
    unpriced = not costs or len(costs) < len(lines)
    return tokens, None if unpriced else share * sum(costs)


def _used_by(place: Place, fingerprint: str) -> list[str]:
    slugs = []
    for slug in place.objects.folders(layout.NOTEBOOKS):
        for found in Place(place.objects, slug).snapshots.newest():
            if isinstance(found, Damaged):
                raise Damaged(f"{found} Nobody can say which space it needs: run doctor --repair first.")
            if isinstance(found, Manifest) and found.space_fp == fingerprint:
                slugs.append(slug)
                break
    return slugs

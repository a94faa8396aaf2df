"""How much is paid for in a space."""

from __future__ import annotations

from rag.errors import Damaged, NotFound
from rag.home.place import Place
from rag.spaces.space import Space
from rag.tables.vectors import VectorCache


def vectors_in(place: Place, space: Space) -> int | None:
    """How many vectors the cache of a space has; None where it cannot be read, of which `doctor` says more."""
    try:
        return len(VectorCache(place.cache_folder(space.fingerprint), space.dimensions, looking=True))
    except NotFound:
        return 0
    except Damaged:
        return None

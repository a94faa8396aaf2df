"""How much is paid for in a space."""

from __future__ import annotations

from rag.errors import Damaged, NotFound
from rag.home.place import Place
from rag.spaces.space import Space
from rag.tables.vectors import VectorCache


def vectors_in(place: Place, space: Space) -> int:
    """How many vectors the cache of a space has; 0 where there is none, or none that can be read: `doctor` says so."""
    try:
        return len(VectorCache(place.cache_folder(space.fingerprint), space.dimensions, looking=True))
    except (Damaged, NotFound):
        return 0

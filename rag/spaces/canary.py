"""The canary: eight fixed texts by whose vectors a model is recognised, whatever it is called."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rag.models.embedder import Embedder

    Canary = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
    """(8, d) vectors of the canary texts, as texts and as queries."""

CANARY_TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Invoices are due within thirty days of delivery.",
    "Der Zug nach Köln fährt um 14:07 Uhr von Gleis 3 ab.",
    "La photosynthèse transforme la lumière en énergie chimique.",
    "def add(a: int, b: int) -> int:\n    return a + b",
    "水は摂氏百度で沸騰する。",
    "What is the capital of Portugal?",
    "SELECT name, price FROM products WHERE price > 100;",
)
"""Fixed for ever: changing one would make every saved canary meaningless. One has a line break, to see what is done
with it."""


CANARY_COSINE = 0.9975
"""Least cosine at which a canary vector counts as the same; every one of them must. It lies between what twins of one
model gave (0.9989 and more) and what models gave that were quantised again (0.9963 and less): `docs/storage.md` has the
figures."""


def canary_of(embedder: Embedder, fields: Mapping[str, Any]) -> Canary:
    """The canary of a live model; `fields` are those of its space. Costs eight texts, or sixteen where queries have
    another prefix than texts. Raises as `Embedder.embed`."""
    import numpy as np

    def made(role: Any) -> npt.NDArray[np.float32]:
        parts = list(embedder.embed(CANARY_TEXTS, role))
        matrix = np.empty((len(CANARY_TEXTS), parts[0][1].shape[1]), dtype=np.float32)
        for indexes, batch in parts:
            matrix[indexes] = batch
        return matrix

    texts = made("text")
    # Without prefixes every provider we have embeds a query as it embeds a text: one payment is enough.
    same = fields["query_prefix"] == fields["text_prefix"]
    return texts, texts if same else made("query")


def agreement(saved: Canary, live: Canary) -> float:
    """The least cosine of a vector with the saved one; -1 where the dimensions differ."""
    if live[0].shape != saved[0].shape:
        return -1.0
    return min(float((one * other).sum(axis=1).min()) for one, other in zip(saved, live, strict=True))


def written(canary: Canary) -> dict[str, Any]:
    """A canary as JSON fields."""
    import numpy as np

    texts, queries = (base64.b64encode(np.ascontiguousarray(one, "<f4").tobytes()).decode() for one in canary)
    return {"texts": list(CANARY_TEXTS), "text_vectors": texts, "query_vectors": queries}


def read(fields: Mapping[str, Any], dimensions: int) -> tuple[bytes, bytes]:
    """What `written` wrote, as little-endian float32: without numpy, which takes longer to load than a verdict to find.

    Raises:
        KeyError, TypeError, ValueError: a field is missing, or not of that many dimensions.
    """

    def raw(key: str) -> bytes:
        found = base64.b64decode(fields[key])
        if len(found) != (expected := 4 * len(CANARY_TEXTS) * dimensions):
            raise ValueError(f"{key} has {len(found)} bytes instead of {expected}")
        return found

    return raw("text_vectors"), raw("query_vectors")


def vectors(raw: tuple[bytes, bytes], dimensions: int) -> Canary:
    """The canary of what `read` gave."""
    import numpy as np

    texts, queries = (np.frombuffer(one, "<f4").reshape(len(CANARY_TEXTS), dimensions) for one in raw)
    return texts, queries

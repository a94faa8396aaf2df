"""Bytes and JSON values to fingerprints: the only place where names are made of content.

Canonical JSON: sorted keys, no white space, UTF-8 without escapes. Numbers that are whole must be ints, so that `1`
and `1.0` cannot be two names for one thing; NaN and infinities are refused. Nested values are hashed whole, never by
joining strings, so no two different values share a canonical form.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Literal, cast

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Role = Literal["text", "query"]
_PLAIN = frozenset({str, int, bool, type(None)})
_LISTS = frozenset({list, tuple})


def canonical(value: Json) -> bytes:
    """Canonical JSON of `value`, UTF-8.

    Raises:
        TypeError: for anything that is not JSON, a key that is not a string, a whole float, NaN or infinity.
        UnicodeEncodeError: for a lone surrogate, which has no UTF-8 form.
    """
    _check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def fingerprint(value: Json) -> str:
    """SHA-256 of the canonical JSON of `value`: 64 hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def digest(content: bytes) -> str:
    """SHA-256 of bytes: 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def vector_key(space: str, role: Role, text: str) -> bytes:
    """Address of the vector of `text` in a VectorCache: 32 bytes.

    `space` is the fingerprint of the space, `text` exactly what is sent to the model.
    """
    return hashlib.sha256(canonical([space, role, text])).digest()


def chunk_id(source_id: str, ordinal: int, recipe: str, text: str) -> str:
    """Id of a chunk: 32 hex digits. The same build twice gives the same ids."""
    return fingerprint([source_id, ordinal, recipe, text])[:32]


def _check(value: object) -> None:
    if value is None or isinstance(value, bool | int | str):
        return
    if isinstance(value, float):
        if not math.isfinite(value) or value.is_integer():
            raise TypeError(f"{value!r} has no canonical form: use an int, or a finite number with a fraction")
        return
    if isinstance(value, list | tuple):
        if _is_plain(value):
            return
        for item in value:
            _check(item)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} of a canonical object must be a string")
            _check(item)
        return
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _is_plain(value: Sequence[object]) -> bool:
    """Whether lists, one in the other, hold nothing but what always has a canonical form. Level by level: the list of
    sources has tens of thousands of items, and one look at each would take as long as hashing it."""
    kinds = set(map(type, value))
    while kinds and kinds <= _LISTS:
        value = list(chain.from_iterable(cast(Sequence[Sequence[object]], value)))
        kinds = set(map(type, value))
    return kinds <= _PLAIN

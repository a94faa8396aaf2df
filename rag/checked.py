"""JSON with its own checksum and format number: what small objects are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rag.errors import Damaged, NewerFormat
from rag.fingerprint import fingerprint

FORMAT = 1
"""Number of the storage format. It is part of every recipe and manifest; bump it when either changes meaning."""


def refuse_newer(body: Mapping[str, Any], name: str) -> None:
    """Raise NewerFormat where the object of that name was written in a format higher than ours."""
    number = body.get("format")
    if isinstance(number, int) and number > FORMAT:
        raise NewerFormat(
            f"{name} has storage format {number}, and this Ragbook knows formats up to {FORMAT}. "
            "Open it with a newer Ragbook; nothing was changed."
        )


def load_checked(content: bytes, name: str) -> dict[str, Any]:
    """A JSON object with a `checksum` over its other fields. The checksum stays out of the answer.

    Raises:
        Damaged: not a JSON object, or the checksum differs. Every format, also a newer one, keeps this rule, so that
            damage cannot pass for a newer format.
    """
    try:
        body = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Damaged(f"{name} fails its check: it is not valid JSON ({error.__class__.__name__}).") from error
    if not isinstance(body, dict):
        raise Damaged(f"{name} fails its check: it is not a JSON object.")
    found = body.pop("checksum", None)
    try:
        expected = fingerprint(body)
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise Damaged(f"{name} fails its check: it has no canonical form.") from error
    if found != expected:
        raise Damaged(f"{name} fails its check: the checksum in it is not that of its content.")
    return body


def dump_checked(body: Mapping[str, Any]) -> bytes:
    """The inverse of `load_checked`."""
    plain = _plain(dict(body))
    plain["checksum"] = fingerprint(plain)
    return json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8")


def _plain(value: Any) -> Any:
    """Dataclass output as canonical-ready JSON: tuples as lists, whole floats as ints."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value

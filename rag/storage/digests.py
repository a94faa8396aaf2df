"""SHA-256 of files, within the limit of a source."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from rag.errors import SourceTooLarge

Kind = Literal["missing", "unreadable", "size", "altered"]
"""What can be wrong with a file."""

MAX_BYTES = 100 << 20
"""Largest source, in bytes; the upload widget and the readers have the same limit."""
_BLOCK = 1 << 20


def measured(path: Path) -> tuple[str, int]:
    """Digest and size of a file as it is now.

    Raises:
        SourceTooLarge: as soon as `MAX_BYTES` are exceeded: a device or a pipe has no end.
    """
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as reading:
        while block := reading.read(_BLOCK):
            size += len(block)
            if size > MAX_BYTES:
                raise _too_large(size)
            digest.update(block)
    return digest.hexdigest(), size


def _too_large(size: int) -> SourceTooLarge:
    return SourceTooLarge(
        f"The file has {size / (1 << 20):,.0f} MB, and the limit is {MAX_BYTES >> 20} MB. Split it and add the parts."
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits. Raises OSError."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()

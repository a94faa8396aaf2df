"""Plain text and source code: kept as it is."""

from __future__ import annotations

from rag.reading.cleaning import Composer
from rag.reading.encoding import decode
from rag.reading.places import Reading


def read(raw: bytes, media_type: str) -> Reading:
    """The text of the file. Raises DamagedSource, EmptySource, SourceTooLarge."""
    text, note = decode(raw)
    composer = Composer()
    composer.add(text)
    composer.note(note)
    return composer.reading(media_type)

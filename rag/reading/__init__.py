"""Bytes of a source to text with places, in a separate process with limits.

    with Readers() as readers:
        reading = readers.read("report.pdf", path)

Importing this costs the standard library only; parsers are loaded by the child (`child.py`), one module per format.
"""

from __future__ import annotations

from rag.reading.isolation import Readers
from rag.reading.kinds import HEAD_BYTES, READABLE, READERS, SUPPORTED, media_type
from rag.reading.places import Heading, Page, Reading

__all__ = [
    "HEAD_BYTES",
    "READABLE",
    "READERS",
    "SUPPORTED",
    "Heading",
    "Page",
    "Readers",
    "Reading",
    "media_type",
]

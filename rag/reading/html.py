"""HTML: what a browser shows, as blocks of text with headings; scripts, hidden parts and comments are left out."""

from __future__ import annotations

import codecs
import re

from rag.reading.cleaning import Composer
from rag.reading.encoding import decode
from rag.reading.html_blocks import PageParser
from rag.reading.places import Reading

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]+)", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w:.-]+)", re.IGNORECASE)


def read(raw: bytes, media_type: str) -> Reading:
    """The visible text. Raises DamagedSource, EmptySource, SourceTooLarge."""
    text, note = decode(raw, declared_encoding(raw))
    composer = Composer()
    composer.note(note)
    page = PageParser()
    page.feed(text.replace("\x00", ""))
    page.finish()
    first = next((block.text for block in page.blocks if block.level), "")
    if page.title not in first:
        composer.add(page.title)
    for block in page.blocks:
        if block.level:
            composer.add_heading(block.level, block.text)
        else:
            composer.add(block.text, "\n" * block.gap)
    if page.left_out:
        composer.note("Text that this page hides from its readers was left out.")
    return composer.reading(media_type)


def declared_encoding(raw: bytes) -> str | None:
    """The encoding a page says it is in, if Python knows it; Latin-1 means cp1252, as in every browser."""
    found = _XML_CHARSET.search(raw[:1024]) or _META_CHARSET.search(raw[:8192])
    if not found:
        return None
    try:
        name = codecs.lookup(found[1].decode("ascii")).name
    except (LookupError, UnicodeError):
        return None
    return "cp1252" if name in ("iso8859-1", "ascii") else name

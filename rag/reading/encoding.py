"""Bytes → characters: byte order marks, UTF-8, and a cautious guess for everything else."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple
from unicodedata import category

from charset_normalizer import from_bytes

from rag.errors import DamagedSource
from rag.reading.signatures import looks_binary, utf16_without_bom

# The UTF-32 marks first: the little-endian one begins with that of UTF-16.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ASCII = bytes(range(128))
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_SAMPLE_BYTES = 1 << 16
# Without this list every text finds some mainframe code page that fits.
_DENSE = ["cp1251", "koi8_r", "cp866", "cp1253", "cp1255", "cp1256", "cp874", "shift_jis", "cp932", "euc_jp",
          "gb18030", "big5", "euc_kr", "cp949"]  # fmt: skip
_SPARSE = ["cp1252", "cp1250", "cp1254", "cp1257", "iso8859_2", "mac_roman"]


class Decoded(NamedTuple):
    """Characters, and a sentence for the user when they are not certain or not all there."""

    text: str
    note: str | None


def decode(raw: bytes, declared: str | None = None) -> Decoded:
    """The characters of a text file; `declared` is the encoding it claims, believed only where it fits.

    Raises DamagedSource when the bytes are no text.
    """
    for mark, codec in _BOMS:
        if raw.startswith(mark):
            return _with_replacements(raw[len(mark) :], codec)
    if wide := utf16_without_bom(raw):
        return _with_replacements(raw, wide)
    if looks_binary(raw):
        raise DamagedSource("The content of this file is binary, not text. Give it its right extension.")
    if b"\x1b$" in raw[:_SAMPLE_BYTES] and (text := _strict(raw, "iso2022_jp")) is not None:
        return Decoded(text, None)
    if (text := _strict(raw, "utf-8")) is not None:
        return Decoded(text, None)
    if declared and (text := _strict(raw, declared)) is not None:
        return Decoded(text, None)
    return _mostly_utf8(raw) or _guess(raw)


def _strict(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except (UnicodeError, LookupError):
        return None


def _mostly_utf8(raw: bytes) -> Decoded | None:
    """UTF-8 with a few broken places, as cut or patched files have."""
    text = raw.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return _with_replacements(raw, "utf-8") if good >= 4 * bad else None


def _guess(raw: bytes) -> Decoded:
    sample = _sample(raw)
    high = len(sample.translate(None, _ASCII))
    letters = high + sum(chr(byte).isalpha() for byte in sample if byte < 128)
    share = high / letters
    if share < 0.25:
        # Few accents among plain letters: a western or central European text, or a damaged one.
        central = _detect(sample, _SPARSE) if high >= 100 else None
        for codec in filter(None, (central, "cp1252")):
            text = _strict(raw, codec)
            if text is not None and _accents_are_letters(sample.decode(codec, "replace")):
                return Decoded(text, _guessed(codec))
        if share < 0.05:
            return _with_replacements(raw, "utf-8")
    if found := _detect(sample, _DENSE + _SPARSE):
        text = _strict(raw, found)
        return Decoded(text, _guessed(found)) if text is not None else _with_replacements(raw, found)
    if (text := _strict(raw, "cp1252")) is not None and _accents_are_letters(sample.decode("cp1252", "replace")):
        return Decoded(text, _guessed("cp1252"))
    return _with_replacements(raw, "utf-8")


def _sample(raw: bytes) -> bytes:
    """The lines from the first one with a byte above 127: what comes before tells nothing of the encoding."""
    first = _HIGH_RUN.search(raw)
    start = first.start() if first else 0
    return raw[max(raw.rfind(b"\n", max(0, start - 1000), start) + 1, start - 1000, 0) : start + _SAMPLE_BYTES]


def _accents_are_letters(text: str) -> bool:
    """True when most characters above ASCII are letters or the usual quotes and dashes."""
    above = [character for character in text if character > "\x7f"]
    usual = sum(character.isalpha() or character in "«»‘’“”„–—…•°§£€©®\xa0´·½¿¡" for character in above)
    return usual >= 0.7 * len(above)


def _detect(sample: bytes, codecs_to_try: list[str]) -> str | None:
    best = from_bytes(sample, cp_isolation=codecs_to_try, enable_fallback=False).best()
    return best.encoding if best else None


def _guessed(codec: str) -> str:
    return f"This file is not UTF-8: it was read as {codec}. If letters look wrong, save it as UTF-8 and add it again."


def _with_replacements(raw: bytes, codec: str) -> Decoded:
    text = raw.decode(codec, "replace")
    bad = text.count("\ufffd")
    # Random bytes are valid UTF-16 for the most part, but not of characters that exist.
    sample = text[:10_000]
    unknown = sum(category(character) in ("Cn", "Co") for character in sample)
    if bad > 8 + len(text) * 0.1 or unknown > 2 + len(sample) * 0.1:
        raise DamagedSource("The content of this file is not readable as text in any encoding we know.")
    if not bad:
        return Decoded(text, None)
    places = "1 place" if bad == 1 else f"{bad} places"
    return Decoded(text, f"Some bytes of this file are no text: {places} now show the character \ufffd instead.")

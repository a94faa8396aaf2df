"""Text to chunks whose borders survive edits elsewhere in the text.

A splitter that fills one chunk after the other moves every border behind an edit, and every moved chunk is paid for
again. Here a text that is too long is cut in two at its strongest border: a heading before a paragraph, a paragraph
before a line, a line before a sentence; among equals the one whose following words have the smallest digest. Both
halves are cut on in the same way until each fits. Which border is strongest does not depend on what stands elsewhere,
so an edit moves the borders of its own chunk only (the idea of content-defined chunking: Muthitacharoen et al., A
Low-bandwidth Network File System, SOSP 2001; here with structure first).
"""

from __future__ import annotations

import bisect
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.reading.places import Heading, Reading

Offsets = Callable[[str], Sequence[tuple[int, int]]]
"""Character ranges of the tokens of a text, in order."""

_PREFIX_CHARS = 120
_PAGE, _PARAGRAPH, _LINE, _SENTENCE = 7, 8, 9, 10
_LAST_RANK = _SENTENCE
_SLAB = 50_000
_CHARS_PER_TOKEN = 12
"""A token counts for at least every so many characters, so that a word of a million letters is not one token."""
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_NEW_LINE = re.compile(r"\n(?=[^\n])")
_SENTENCE_END = re.compile(r"[.!?…؟۔।॥։።។။][\"'”’»)\]]*\s+(?=\S)|[。！？]+[」』”’]?")


@dataclass(frozen=True)
class Piece:
    """One chunk. `text` is characters `start` to `end` (exclusive) of the source's text, the overlap with the chunk
    before included. `embed_text` is what the model is sent: the headings above the chunk, then its text."""

    ordinal: int
    text: str
    start: int
    end: int
    page: int | None
    page_end: int | None
    headings: tuple[str, ...]
    embed_text: str


def split(reading: Reading, *, size: int, overlap: int, offsets: Offsets) -> list[Piece]:
    """All chunks of a source at once. As `pieces_of`."""
    return list(pieces_of(reading, size=size, overlap=overlap, offsets=offsets))


def pieces_of(reading: Reading, *, size: int, overlap: int, offsets: Offsets) -> Iterator[Piece]:
    """Chunks of a source, in order, each made when it is asked for: those of a large file need not be in memory.

    Args:
        size: most tokens of a chunk with its overlap; the headings sent along (at most 120 characters) come on top.
        overlap: most tokens repeated from the chunk before; whole lines or sentences only, and none across a heading.
    """
    text = reading.text
    ruler = _Ruler(text, offsets)
    borders = _borders(reading, ruler)
    heading_starts = [heading.start for heading in reading.headings]
    page_starts = [page.start for page in reading.pages]
    paths = _paths(reading.headings)
    hard = set(heading_starts)
    ordinal, before = 0, 0
    for start, end in _cut(text, borders, ruler, size - overlap):
        begin = start
        if overlap and ordinal and start not in hard:
            under = bisect.bisect_right(heading_starts, start) - 1
            section = heading_starts[under] if under >= 0 else 0
            begin = _overlapped(text, start, overlap, ruler, max(before, section))
        while begin < end and text[begin].isspace():
            begin += 1
        while end > begin and text[end - 1].isspace():
            end -= 1
        if begin == end:
            continue
        at = bisect.bisect_right(heading_starts, begin) - 1
        here = paths[at] if at >= 0 else ()
        above = [h for h in here if h.start < begin]
        prefix = " › ".join(h.title for h in above)[-_PREFIX_CHARS:]
        body = text[begin:end]
        yield Piece(
            ordinal=ordinal,
            text=body,
            start=begin,
            end=end,
            page=_page(reading, page_starts, begin),
            page_end=_page(reading, page_starts, end - 1),
            headings=tuple(h.title for h in here),
            embed_text=f"{prefix}\n{body}" if prefix else body,
        )
        ordinal, before = ordinal + 1, begin


class _Ruler:
    """Measures ranges of a text in tokens."""

    def __init__(self, text: str, offsets: Offsets) -> None:
        starts: list[npt.NDArray[np.int64]] = []
        at = 0
        while at < len(text):
            # Slabs end at a line end where there is one, so that no word is cut and memory stays bounded.
            stop = min(at + _SLAB, len(text))
            line = text.rfind("\n", at, stop)
            if stop < len(text) and line > at:
                stop = line + 1
            slab = text[at:stop]
            # Byte pairs begin with the space before a word; where a chunk is cut, that space is trimmed.
            found = np.fromiter((_first_seen(slab, start, end) for start, end in offsets(slab)), dtype=np.int64)
            starts.append(found + at)
            at = stop
        self.starts = np.concatenate(starts) if starts else np.zeros(0, dtype=np.int64)

    def between(self, start: int, end: int) -> int:
        """Tokens that begin in the range; never less than one for every twelve characters."""
        low, high = np.searchsorted(self.starts, (start, end))
        return max(int(high - low), (end - start) // _CHARS_PER_TOKEN)


def _first_seen(text: str, start: int, end: int) -> int:
    while start < end and text[start].isspace():
        start += 1
    return start


@dataclass(frozen=True)
class _Borders:
    """Where a text may be cut, per rank: positions ascending, how many tokens begin before each, and their digests."""

    positions: dict[int, npt.NDArray[np.int64]]
    tokens: dict[int, npt.NDArray[np.int64]]
    digests: dict[int, npt.NDArray[np.uint64]]


def _borders(reading: Reading, ruler: _Ruler) -> _Borders:
    text = reading.text
    ranks: dict[int, int] = {}
    for match in _SENTENCE_END.finditer(text):
        ranks[match.end()] = _SENTENCE
    for match in _NEW_LINE.finditer(text):
        ranks[match.end()] = _LINE
    for match in _BLANK_LINES.finditer(text):
        ranks[match.end()] = _PARAGRAPH
    for page in reading.pages:
        ranks[page.start] = _PAGE
    for heading in reading.headings:
        # A heading stays with what follows it: the borders right behind it are no better than a sentence's.
        behind = heading.end
        while behind < len(text) and text[behind].isspace():
            behind += 1
        if behind in ranks:
            ranks[behind] = _SENTENCE
    for heading in reading.headings:
        ranks[heading.start] = min(6, max(1, heading.level))
    grouped: dict[int, list[int]] = {}
    for position in sorted(ranks):
        if 0 < position < len(text):
            grouped.setdefault(ranks[position], []).append(position)
    positions = {rank: np.array(found, dtype=np.int64) for rank, found in grouped.items()}
    return _Borders(
        positions,
        {rank: np.searchsorted(ruler.starts, found) for rank, found in positions.items()},
        {
            rank: np.array([_digest(text, position) for position in found], dtype=np.uint64)
            for rank, found in grouped.items()
        },
    )


def _digest(text: str, position: int) -> int:
    words = text[position : position + 48]
    return int.from_bytes(hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _cut(text: str, borders: _Borders, ruler: _Ruler, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most `size` tokens that together are the whole text, in order."""
    waiting = [(0, len(text))]
    while waiting:
        start, end = waiting.pop()
        if ruler.between(start, end) <= size:
            yield start, end
            continue
        border = _strongest(borders, ruler, start, end, least=size // 4)
        if border is None:
            yield from _packed(text, ruler, start, end, size)
            continue
        waiting.append((border, end))
        waiting.append((start, border))


def _strongest(borders: _Borders, ruler: _Ruler, start: int, end: int, least: int) -> int | None:
    """The border to cut at: of the best rank that has one at least `least` tokens from both ends, the one with the
    smallest digest. Among equal ones, as in a text of equal lines, the middle one: else the work would be quadratic."""
    first, last = np.searchsorted(ruler.starts, (start, end)) + np.array((least, -least))
    for rank in range(1, _LAST_RANK + 1):
        positions = borders.positions.get(rank)
        if positions is None:
            continue
        low, high = np.searchsorted(positions, (start + 1, end))
        tokens = borders.tokens[rank]
        low = max(low, np.searchsorted(tokens, first))
        high = min(high, np.searchsorted(tokens, last, side="right"))
        if low < high:
            digests = borders.digests[rank][low:high]
            smallest = np.flatnonzero(digests == digests.min())
            return int(positions[low + smallest[len(smallest) // 2]])
    return None


def _packed(text: str, ruler: _Ruler, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """A stretch without usable borders, filled word by word; a word that is too long is cut."""
    while ruler.between(start, end) > size:
        index = int(np.searchsorted(ruler.starts, start)) + size
        stop = int(ruler.starts[index]) if index < len(ruler.starts) else end
        stop = min(stop, start + size * _CHARS_PER_TOKEN, end)
        space = max(text.rfind(" ", start + 1, stop + 1), text.rfind("\n", start + 1, stop + 1))
        if space > start + (stop - start) // 2:
            stop = space + 1
        stop = max(stop, start + 1)
        yield start, stop
        start = stop
    if start < end:
        yield start, end


def _overlapped(text: str, start: int, overlap: int, ruler: _Ruler, least: int) -> int:
    """Where a chunk that begins at `start` begins with its overlap: at a sentence or line of the chunk before, not
    before `least`, where that chunk or the section begins."""
    index = int(np.searchsorted(ruler.starts, start)) - overlap
    earliest = max(int(ruler.starts[index]) if index >= 0 else 0, least, start - overlap * _CHARS_PER_TOKEN)
    window = text[earliest:start]
    # `earliest` itself is in the middle of something, as a rule; the first border behind it is not.
    ends = [match.end() for match in _SENTENCE_END.finditer(window)] + [m.end() for m in _NEW_LINE.finditer(window)]
    inside = [end for end in ends if end < len(window.rstrip())]
    return earliest + min(inside) if inside else start


def _paths(headings: Sequence[Heading]) -> list[tuple[Heading, ...]]:
    """For each heading the headings it stands under, itself last."""
    paths: list[tuple[Heading, ...]] = []
    path: list[Heading] = []
    for heading in headings:
        while path and path[-1].level >= heading.level:
            path.pop()
        path.append(heading)
        paths.append(tuple(path))
    return paths


def _page(reading: Reading, starts: Sequence[int], position: int) -> int | None:
    if not starts:
        return None
    return reading.pages[max(0, bisect.bisect_right(starts, position) - 1)].number

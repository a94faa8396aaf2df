"""Found chunks joined with those beside them in their source, for a language model to read.

A search ranks chunks; an answer often needs the sentence before or after. So two found chunks that adjoin become one
passage, and the best passage is widened by the chunk before and the chunk after it, where there is room. Nothing gives
way to that: what does not fit stays as it was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.citing.answer import Citation, Passage
    from rag.tables.chunk_rows import ChunkRow

LONGEST_GAP = 16
"""Characters between two chunks that are still taken for white space, which chunks do not keep at their ends. Behind
more there may be text that is in no chunk, as in an index adopted from elsewhere."""

WIDENED = 1
"""How many of the best passages are widened. All of them cost two thirds more tokens and brought the evidence of no
other question (`docs/answers.md`)."""


@dataclass(frozen=True)
class Neighbours:
    """Found chunks and those right before and after them, in any order."""

    rows: Sequence[ChunkRow]

    def in_context(
        self, passages: Sequence[Passage], cost: Callable[[Passage], int], room: int, *, widen: int
    ) -> list[Passage]:
        """`passages`, best first, with those that adjoin joined and, after that, the best `widen` widened.

        A joined passage has the number, chunk, rank and scores of its better part. The sum of `cost` over what is
        returned is at most `room`, if that over `passages` is.
        """
        of_id = {row.id: row for row in self.rows}
        stretches = []
        for passage in passages:
            row = of_id.get(passage.chunk_id)
            stretches.append(_Stretch(passage, (row,) if row is not None and row.text == passage.text else ()))
        at = 0
        while at < len(stretches):
            other = next((one for one in stretches[at + 1 :] if stretches[at].adjoins(one)), None)
            if other is None:
                at += 1
                continue
            stretches.remove(other)
            stretches[at] = stretches[at].joined(other)
        room -= sum(cost(one.passage) for one in stretches)
        if room < 0:  # two texts together are seldom more tokens than apart, but they can be
            return list(passages)
        self._widen(stretches, widen, cost, room)
        return [one.passage for one in stretches]

    def _widen(self, stretches: list[_Stretch], most: int, cost: Callable[[Passage], int], room: int) -> None:
        of_place = {(row.source_id, row.ordinal): row for row in self.rows}
        taken = {row.id for one in stretches for row in one.rows}
        for at, stretch in enumerate(stretches[:most]):
            if not stretch.rows:
                continue
            first, last = stretch.rows[0], stretch.rows[-1]
            for place in ((first.source_id, first.ordinal - 1), (last.source_id, last.ordinal + 1)):
                row = of_place.get(place)
                wider = None if row is None or row.id in taken else stretches[at].with_row(row)
                if row is None or wider is None:
                    continue
                more = cost(wider.passage) - cost(stretches[at].passage)
                if more <= room:
                    room -= more
                    stretches[at] = wider
                    taken.add(row.id)


@dataclass(frozen=True)
class _Stretch:
    """Chunks of one source that follow each other, in its order, and the best passage found among them. Without rows:
    a passage whose place is not known, which stays as it is."""

    best: Passage
    rows: tuple[ChunkRow, ...]
    others: tuple[Passage, ...] = ()

    def adjoins(self, other: _Stretch) -> bool:
        return bool(self.rows and other.rows) and (
            _follows(self.rows[-1], other.rows[0]) or _follows(other.rows[-1], self.rows[0])
        )

    def joined(self, other: _Stretch) -> _Stretch:
        rows = sorted((*self.rows, *other.rows), key=lambda row: row.ordinal)
        return _Stretch(self.best, tuple(rows), (*self.others, other.best, *other.others))

    def with_row(self, row: ChunkRow) -> _Stretch | None:
        """With one more chunk, if it adjoins. One before must stand under the same headings: they are shown as those
        of the whole passage."""
        if _follows(self.rows[-1], row):
            return replace(self, rows=(*self.rows, row))
        if _follows(row, self.rows[0]) and row.heading == self.rows[0].heading:
            return replace(self, rows=(row, *self.rows))
        return None

    @cached_property
    def passage(self) -> Passage:
        if len(self.rows) < 2:
            return self.best
        first, last = self.rows[0], self.rows[-1]
        also_in = {name for one in (self.best, *self.others) for name in one.also_in}
        return replace(
            self.best,
            text=text_of(self.rows),
            page=first.page,
            page_end=last.page_end,
            start=first.start,
            end=last.end,
            heading=first.heading,
            also_in=tuple(sorted(also_in - {self.best.source})),
            joined=tuple(one.chunk_id for one in self.others),
        )


def shown(found: Sequence[Passage], sent: Sequence[Passage]) -> list[Passage]:
    """What was found as it was sent, without those that are joined to another; whole, where less of it was sent."""
    joined = {chunk_id for one in sent for chunk_id in one.joined}
    as_sent = {one.chunk_id: one for one in sent}
    left = [(one, as_sent.get(one.chunk_id, one)) for one in found if one.chunk_id not in joined]
    return [wide if len(wide.text) > len(one.text) else one for one, wide in left]


def text_of(rows: Sequence[ChunkRow], start: int = 0, end: int | None = None) -> str:
    """Characters `start` to `end` of a source, as far as these chunks of it, by ordinal, hold them: what they repeat of
    each other once, and `gap` between them, so that the first character told tells where all others are."""
    text, at = "", start
    for row in rows:
        if row.start is None or row.end is None or row.end <= at or (end is not None and row.start >= end):
            continue
        if row.start > at and text:
            text += gap(row.start - at)
        at = max(at, row.start)
        stop = row.end if end is None else min(end, row.end)
        text += row.text[at - row.start : stop - row.start]
        at = stop
    return text


def gap(length: int) -> str:
    """So many characters of white space between two chunks. The source's own are not kept: a line break stands for one,
    an empty line for more."""
    return "\n" if length == 1 else " " * (length - 2) + "\n\n" if length else ""


def page_at(rows: Iterable[ChunkRow], position: int) -> int | None:
    """The page on which a character of a source stands, by chunks of that source; None where none of them has it, or
    its format has no pages."""
    for row in rows:
        if row.start is not None and row.end is not None and row.start <= position < row.end:
            begun = [number for number, begins in row.metadata.get("pages", ()) if begins <= position]
            return begun[-1] if begun else row.page
    return None


def _follows(row: ChunkRow, after: ChunkRow) -> bool:
    """Whether `after` goes on where `row` ends, or repeats its end and goes on."""
    one, two = _range(row), _range(after)
    if one is None or two is None or (row.source_id, row.ordinal + 1) != (after.source_id, after.ordinal):
        return False
    if not (one[0] <= two[0] <= one[1] + LONGEST_GAP and one[1] <= two[1]):
        return False
    return two[0] >= one[1] or row.text.endswith(after.text[: one[1] - two[0]])


def _range(row: ChunkRow) -> tuple[int, int] | None:
    """Its character range, if that is as long as its text: an index adopted from elsewhere may say otherwise."""
    if row.start is None or row.end is None or row.end - row.start != len(row.text):
        return None
    return row.start, row.end


def paged(rows: Sequence[ChunkRow], passages: Sequence[Passage], citations: Sequence[Citation]) -> list[Citation]:
    """The citations with the page on which each quote begins, where its passage is on more than one."""
    sources = {one.chunk_id: one.source_id for one in passages if one.page != one.page_end}
    placed = []
    for one in citations:
        page = None
        if one.start is not None and one.chunk_id in sources:
            page = page_at([row for row in rows if row.source_id == sources[one.chunk_id]], one.start)
        placed.append(one if page is None else replace(one, page=page))
    return placed

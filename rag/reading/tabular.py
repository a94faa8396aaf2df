"""CSV and TSV: one line per row, cells separated by ` | `, under the names of the columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Literal

from rag.reading.cleaning import TEXT_LIMIT, Composer, check_length, clean
from rag.reading.encoding import decode
from rag.reading.kinds import TSV
from rag.reading.places import Reading

_NUMBER = re.compile(r"[-+]?[\d.,]*\d%?")
_PROBE_LINES = 30


def read(raw: bytes, media_type: str) -> Reading:
    """The rows as lines; formulas stay text. Raises DamagedSource, EmptySource, SourceTooLarge."""
    text, note = decode(raw)
    check_length(len(text))
    text = clean(text)
    composer = Composer()
    composer.note(note)
    delimiter = _delimiter(text, "\t" if media_type == TSV else ",")
    rows = list(_rows(text, delimiter, quoted=True))
    if text.count('"') % 2 and rows and any("\n" in cell for cell in rows[-1]):
        # One quotation mark was never closed, so the last cell swallowed the rest of the file.
        composer.note("A quotation mark in this table is never closed, so all quotation marks were read as text.")
        rows = list(_rows(text, delimiter, quoted=False))
    _add(composer, rows)
    return composer.reading(media_type)


def _rows(text: str, delimiter: str, *, quoted: bool) -> Iterator[list[str]]:
    # Python's default refuses cells over 128 KiB; the length of the text is checked anyway.
    csv.field_size_limit(TEXT_LIMIT)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting):
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield cells


def _delimiter(text: str, usual: str) -> str:
    """The separator that cuts the first lines most evenly into more than one cell; `usual` when none does.

    (csv.Sniffer is no help: it guesses quotes wrongly where a cell holds the separator.)
    """
    probe = text[: 1 << 16].split("\n")[:_PROBE_LINES]
    best, best_score = usual, 0.0
    for candidate in (usual, *(c for c in ",;\t|" if c != usual)):
        widths = [len(row) for row in csv.reader(probe, delimiter=candidate) if row]
        common = max(set(widths), key=widths.count, default=0)
        if common < 2:
            continue
        score = widths.count(common) / len(widths)
        if score > best_score + 0.1:
            best, best_score = candidate, score
    return best


def _add(composer: Composer, rows: list[list[str]]) -> None:
    """One line per row. The names of the columns are a heading, so that every chunk of the table is sent with them.

    A title above the table stays a line of its own. The first row after that names the columns, unless it holds numbers
    as rows do.
    """
    while len(rows) > 1 and _filled(rows[0]) == 1 and any(_filled(row) > 1 for row in rows[1:5]):
        composer.add("".join(rows.pop(0)))  # a title above the table
    if len(rows) > 1 and not any(_NUMBER.fullmatch(name) for name in rows[0]):
        names = _line(rows.pop(0))
        composer.add_heading(1, names, names)
    composer.add("\n".join(_line(row) for row in rows))


def _line(row: list[str]) -> str:
    return " | ".join(" ".join(cell.split()) for cell in row)


def _filled(row: list[str]) -> int:
    return sum(map(bool, row))

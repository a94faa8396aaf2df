"""Real documents, where there are any beside the project: as much text as an independent extractor found."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from rag.errors import ReadError
from tests.rag.reading.reading_checks import check

DOCS = Path(__file__).parents[3] / ".." / "shared" / "data" / "docs"
SMALL = set((DOCS / "small.txt").read_text().split()) if DOCS.exists() else set()
ROWS = (
    list(csv.DictReader((DOCS / "manifest.tsv").read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    if DOCS.exists()
    else []
)
# Not read at all.
UNREAD = {"pptx", "xlsx", "odt", "epub", "rtf", "eml"}


def test_as_much_text_as_others_find(readers):
    for row in ROWS:
        if row["path"] not in SMALL:
            continue
        if row["format"] in UNREAD:
            with pytest.raises(ReadError):
                readers.read(row["path"], DOCS / row["path"])
            continue
        reading = readers.read(row["path"], DOCS / row["path"])
        check(reading)
        ratio = len("".join(reading.text.split())) / int(row["ref_chars"])
        assert 0.85 <= ratio <= 1.15, (row["path"], ratio)

"""Jupyter notebooks: what was written in their cells, of both formats there are."""

from __future__ import annotations

import json

import pytest

from rag.errors import DamagedSource, EmptySource
from rag.reading import ipynb as room
from rag.reading.kinds import NOTEBOOK
from tests.rag.reading.builders import notebook
from tests.rag.reading.reading_checks import checked, headings


def read(content):
    return checked(room.read(content, NOTEBOOK))


def test_sources_without_outputs():
    cells = (
        {"cell_type": "markdown", "source": ["# Title\n", "text ![p](data:image/png;base64,AA)"]},
        {"cell_type": "code", "source": "x = 1\n# no heading", "outputs": [{"text": ["OUTPUT"]}]},
        {"cell_type": "markdown", "source": ""},
        {"cell_type": "markdown", "source": ["## Second"]},
    )
    reading = read(notebook(*cells))
    assert reading.text == "# Title\ntext ![p](data:image/png;base64,AA)\n\nx = 1\n# no heading\n\n## Second"
    assert headings(reading) == [(1, "Title"), (2, "Second")]


@pytest.mark.parametrize("content", [b'{"cells": [', b"[1]", b'{"a": 1}'])
def test_malformed(content):
    with pytest.raises(DamagedSource):
        read(content)


def test_the_older_format_has_worksheets_and_cells_that_are_headings():
    sheet = {
        "cells": [
            {"cell_type": "heading", "level": 2, "source": ["Old\n", "title"]},
            {"cell_type": "heading", "level": "x", "source": "Top"},
            {"cell_type": "code", "input": ["y = 2"], "outputs": [{"text": "OUTPUT"}]},
            {"cell_type": "raw", "source": "raw"},
        ]
    }
    reading = read(json.dumps({"worksheets": [sheet, "no sheet", {"cells": None}]}).encode())
    assert reading.text == "Old title\n\nTop\n\ny = 2"
    assert headings(reading) == [(2, "Old title"), (1, "Top")]


def test_parts_of_a_wrong_kind_are_passed_over():
    cells = ["no cell", {"cell_type": "code", "source": 7}, {"cell_type": "code", "source": ["a", 1, "b"]}, {}]
    assert read(notebook(*cells)).text == "ab"


@pytest.mark.parametrize("content", [b'{"cells": {}}', b'{"cells": 3}', b'{"worksheets": {}}', b"7", b"null"])
def test_what_has_no_list_of_cells_is_no_notebook(content):
    with pytest.raises(DamagedSource, match="not a notebook"):
        read(content)


def test_a_notebook_without_a_word_is_empty():
    with pytest.raises(EmptySource):
        read(notebook({"cell_type": "code", "source": " \n"}))

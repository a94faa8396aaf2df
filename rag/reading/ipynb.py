"""Jupyter notebooks: the text of markdown and code cells; outputs and attachments are left out."""

from __future__ import annotations

import json
from typing import Any

from rag.errors import DamagedSource
from rag.reading import markdown
from rag.reading.cleaning import Composer
from rag.reading.encoding import decode
from rag.reading.places import Reading


def read(raw: bytes, media_type: str) -> Reading:
    """The cells in order. Raises DamagedSource, EmptySource, SourceTooLarge."""
    text, note = decode(raw)
    try:
        notebook = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DamagedSource("This notebook is damaged: its JSON is cut off or broken.") from error
    composer = Composer()
    composer.note(note)
    for cell in _cells(notebook):
        source = _source(cell)
        if cell.get("cell_type") == "markdown":
            markdown.compose(source, composer)
        elif cell.get("cell_type") == "heading":  # notebook format 3
            level = cell.get("level")
            composer.add_heading(level if isinstance(level, int) else 1, source)
        elif cell.get("cell_type") == "code":
            composer.add(source)
    return composer.reading(media_type)


def _cells(notebook: Any) -> list[dict[str, Any]]:
    """The cells of format 4, or of the worksheets of format 3."""
    if not isinstance(notebook, dict):
        raise DamagedSource("This is not a notebook: its JSON is no object with cells.")
    cells = notebook.get("cells")
    if cells is None and isinstance(sheets := notebook.get("worksheets"), list):
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
    if not isinstance(cells, list):
        raise DamagedSource("This is not a notebook: it has no list of cells.")
    return [cell for cell in cells if isinstance(cell, dict)]


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""

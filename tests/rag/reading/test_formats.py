"""Every format through the child process: what comes back is what its reader makes of it here."""

from __future__ import annotations

from importlib import import_module

import pytest

from rag.reading import kinds
from tests.rag.reading.builders import docx, notebook, paragraph, pdf
from tests.rag.reading.reading_checks import checked

GOOD = {
    "a.pdf": (kinds.PDF, "pdf", pdf("One page.", "", "Another.")),
    "a.docx": (kinds.DOCX, "docx", docx(paragraph("Top", '<w:outlineLvl w:val="0"/>') + paragraph("Text."))),
    "a.html": (kinds.HTML, "html", b"<h1>Top</h1><p>Text.<p hidden>no"),
    "a.md": (kinds.MARKDOWN, "markdown", b"# Top\n\nText.\n"),
    "a.csv": (kinds.CSV, "tabular", b"name,note\nAda,first\n"),
    "a.tsv": (kinds.TSV, "tabular", b"name\tnote\nAda\tfirst\n"),
    "a.json": (kinds.JSON, "records", b'{"a": [1, "x"]}'),
    "a.jsonl": (kinds.JSONL, "records", b'{"a": 1}\nbroken\n'),
    "a.ipynb": (kinds.NOTEBOOK, "ipynb", notebook({"cell_type": "markdown", "source": "# Top\nText."})),
    "a.txt": (kinds.PLAIN, "plain", "Größe und Türen, schön.".encode("cp1252")),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_child_gives_what_the_reader_gives_here(read, name):
    media_type, room, content = GOOD[name]
    here = import_module(f"rag.reading.{room}").read(content, media_type)
    assert read(name, content) == checked(here)


def test_every_format_is_among_them():
    assert {media_type for media_type, _, _ in GOOD.values()} == set(kinds.READERS)


@pytest.mark.parametrize("name", ["a.py", "Makefile", "a.rst", "a.xml", "../../etc/passwd", "a.unknown"])
def test_any_text_is_text(read, name):
    assert read(name, b"key: <value>").text == "key: <value>"

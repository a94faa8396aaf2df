"""Notebooks and archives that are made once for all tests of the room, and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rag.moving.export import export_notebook
from rag.notebook import Notebook
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, notebook, text_of
from tests.rag.moving.homes import QUESTIONS
from tests.rag.moving.stock import pages, persisted


@pytest.fixture(scope="package")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose notebook has a past: updated, a source removed, one that cannot be read, a cell."""
    home = tmp_path_factory.mktemp("past") / "home"
    book = notebook(home, CountingEmbedding())
    book.add([file("a.txt", text_of(20, 1)), file("b.txt", text_of(20, 2)), file("c.md", "# Head\n\n" + text_of(9, 3))])
    book.add([file("c.md", "# Head\n\n" + text_of(8, 3)), file("bad.pdf", b"%PDF-1.4 no")])
    book.remove(["b.txt"])
    book.rename("Moved")
    book.keep_cell(answered(book, QUESTIONS[0]))
    return home


@pytest.fixture
def book(past: Path, tmp_path: Path) -> Notebook:
    """That notebook, in a home of its own."""
    shutil.copytree(past, tmp_path / "home")
    return notebook(tmp_path / "home", CountingEmbedding())


@pytest.fixture(scope="package")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive as Ragbook writes it."""
    folder = tmp_path_factory.mktemp("good")
    book = notebook(folder / "home", CountingEmbedding(dimensions=16))
    book.add([file("a.txt", text_of(6, 1)), file("b.txt", text_of(6, 2))])
    book.keep_cell(answered(book, "river stone"))
    export_notebook(book, folder / "good.zip")
    return folder / "good.zip"


@pytest.fixture(scope="package")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that llama-index wrote."""
    folder = tmp_path_factory.mktemp("stock") / "li"
    persisted(folder, CountingEmbedding(), pages())
    return folder

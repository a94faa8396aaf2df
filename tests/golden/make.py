"""Make the golden homes of the current storage format: `python -m tests.golden.make`, once per released format.

What is there already is never written over: a golden home that was made anew would prove nothing about the old one.
Nothing in the files tells about the machine they were made on.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.checked import FORMAT
from rag.config import Config
from rag.manifest import parse_manifest
from rag.moving.export import export_notebook
from rag.notebook import Notebook
from rag.sources.incoming import Incoming
from tests.doubles import CountingEmbedding
from tests.notebooks import answered, file, hits, local_settings, notebook, opened, settings

HERE = Path(__file__).parent
DIMENSIONS = 8

LIBRARY = """# The harbour

The old harbour was built in 1742. Its stone bridge carries the coast road.

## Lanterns

Each lantern burns for nine hours. The keeper lights them at dusk and writes the hour into a copper book.

## Tides

At spring tide the water rises four metres, and the lower market is closed.
"""
NOTES = "Le phare a été réparé en 1903.\n\nDer Leuchtturm steht auf einem Felsen im Norden der Bucht.\n"
TABLE = "ship,crew,cargo\nMarigold,12,copper\nPetrel,9,lemons\n"
BROKEN = b"%PDF-1.7\nnot really"

QUESTIONS = ("When was the stone bridge built?", "copper book", "Leuchtturm", "ships with lemons", "zebra")


def golden(folder: Path) -> dict[str, Config]:
    """The golden homes below `folder`, by name, with the settings they are opened with."""
    return {
        "double": settings(folder / "double"),
        "local": local_settings(folder / "local", chunk_size=64, chunk_overlap=8),
    }


def book_of(name: str, config: Config) -> Notebook:
    """The notebook of a golden home, with the model it was built with."""
    return notebook(config, CountingEmbedding(dimensions=DIMENSIONS)) if name == "double" else Notebook(config)


def results(book: Notebook) -> list[dict[str, Any]]:
    """What searching gives, with every digit."""
    found = opened(book)
    return [{"question": text, "hits": hits(found.search(text, 4))} for text in QUESTIONS]


def _make(name: str, config: Config) -> None:
    book = book_of(name, config)
    _add(book, [file("harbour.md", LIBRARY), file("notes.txt", NOTES)])
    if name == "double":  # a second snapshot: rows deleted and added, a source that cannot be read, a cell
        _add(book, [file("harbour.md", LIBRARY.replace("four metres", "five metres")), file("ships.csv", TABLE)])
        _add(book, [file("broken.pdf", BROKEN)])
        book.rename("The harbour")
        book.keep_cell(answered(book, QUESTIONS[0], 3))
    home = Path(config.home)
    for path in home.rglob("manifests/*.json"):
        path.write_bytes(replace(parse_manifest(path.read_bytes(), path.name), writer="golden").to_json())
    for path in list(home.rglob(".*lock*")):
        path.unlink()
    shutil.rmtree(home / "default/notebooks/main/lease", ignore_errors=True)
    head = book.history()[0]
    expected = {
        "recipe": head.recipe_fp,
        "snapshot": head.snapshot,
        "title": book.place.states.newest().title,
        "sources": sorted([row.name, row.state, row.chunks] for row in book.sources()),
        "cells": len(book.cells()),
        "searches": results(book),
    }
    if name == "double":
        export_notebook(book, home.parent / f"{name}.zip")
    (home.parent / f"{name}.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _add(book: Notebook, incoming: Sequence[Incoming]) -> None:
    outcome = book.add(incoming)
    print(outcome.verdict.sentence)


def told(folder: Path) -> list[str]:
    """Files that name this machine, its user or this checkout."""
    # As a writer is named, because a short host name stands in many a base64 text by chance.
    words = {f"{socket.gethostname()}:{os.getpid()}", str(HERE.parents[1]), f"{Path.home()}/"}
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in found if any(word.encode() in path.read_bytes() for word in words)]


def main() -> None:
    """Make them all."""
    folder = HERE / f"format-{FORMAT}"
    if folder.exists():
        sys.exit(f"{folder} exists. A golden home is made once; remove it by hand if its format was never released.")
    with tempfile.TemporaryDirectory(dir=HERE) as made:
        for name, config in golden(Path(made)).items():
            _make(name, config)
        if told(Path(made)):
            sys.exit(f"These files tell about this machine: {told(Path(made))}")
        shutil.copytree(made, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{size:,} bytes")


if __name__ == "__main__":
    main()

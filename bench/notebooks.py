"""Genuine notebooks of any size, made by `Notebook.add`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench import contestant
from bench.texts import SECTIONS

if TYPE_CHECKING:
    from rag.notebook import Notebook


def home(work: Path, chunks: int) -> Path:
    """A home below `work` whose notebook has that many chunks, ten from each document; made once per run."""
    folder = work / f"home-{chunks}"
    if not folder.exists():
        contestant.run(__name__, "fill", folder=str(folder), documents=chunks // SECTIONS)
    return folder


def notebook(folder: str | Path) -> Notebook:
    """The notebook in that home, with the model that costs nothing."""
    from bench.hashed import embedder
    from rag.config import Config
    from rag.notebook import Notebook

    return Notebook(Config(home=str(folder)), make_embedder=embedder)


def fill(folder: str, documents: int) -> int:
    """Add so many documents to a new home; gives the number of chunks."""
    from bench.texts import document
    from rag.sources.incoming import Incoming

    files = [Incoming(f"{number:06}.md", content=document(number).encode()) for number in range(documents)]
    chunks = notebook(folder).add(files).chunks.total
    if chunks != documents * SECTIONS:
        raise ValueError(f"{documents} documents made {chunks} chunks; the text no longer fits the splitter")
    return chunks

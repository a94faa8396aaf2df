"""`append`: one more document of ten chunks, as notebooks grow."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

from bench import contestant, notebooks
from bench.figures import Report, middle
from bench.meter import Meter, new_bytes, sizes

SIZES = {"quick": (1_000, 10_000), "usual": (1_000, 10_000), "large": (1_000, 10_000, 100_000)}
LATE = (
    "rag.building.pipeline",
    "rag.sources.registry",
    "rag.reading.isolation",
    "rag.models.identity",
    "lancedb.remote.table",
)
NEW = 9_999_999
"""Number of the added document; no notebook has it."""


def measure(work: Path, extent: str) -> Report:
    """Compare `Notebook.add` with `insert_nodes` and `persist`."""
    report = Report(
        "append",
        "one document of ten chunks added and saved; files new or changed count in full",
        ["", "chunks before", "new files KB", "written KB", "CPU s", "memory grown MB"],
    )
    for chunks in SIZES[extent]:
        home = notebooks.home(work, chunks)
        ours = [_on_a_copy(home, work / "copy") for _ in range(1 if extent == "quick" else 3)]
        theirs = contestant.run(__name__, "simple", home=str(home), folder=str(work / "simple-append"))
        shutil.rmtree(work / "simple-append")
        report.raw[str(chunks)] = {"ragbook": ours, "simple": theirs}
        for title, runs in (("Ragbook: add", ours), ("llama-index: insert_nodes + persist", [theirs])):
            report.rows.append(
                [
                    title,
                    f"{chunks:,}",
                    f"{middle(runs, 'files') / 1000:,.0f}",
                    f"{middle(runs, 'add', 'written') / 1000:,.0f}",
                    f"{middle(runs, 'add', 'cpu'):.2f}",
                    f"{middle(runs, 'add', 'grown'):.0f}",
                ]
            )
        goal = 200 if chunks == 10_000 else None
        report.smaller(f"bytes of new files, {chunks:,} chunks", middle(ours, "files"), theirs["files"], goal)
        report.smaller(f"CPU, {chunks:,} chunks", middle(ours, "add", "cpu"), theirs["add"]["cpu"])
    return report


def _on_a_copy(home: Path, copy: Path) -> contestant.Result:
    shutil.copytree(home, copy)
    try:
        return contestant.run(__name__, "ragbook", home=str(copy))
    finally:
        shutil.rmtree(copy)


def ragbook(home: str) -> contestant.Result:
    """Keep the original, read it in a child process, split, embed with the stub, write, verify, make durable,
    publish."""
    from bench.texts import SECTIONS, document
    from rag.sources.incoming import Incoming

    for module in LATE:
        import_module(module)
    book = notebooks.notebook(home)
    book.models.embedder(book.config).embed_query("warm")
    incoming = [Incoming("one-more.md", content=document(NEW).encode())]
    meter = Meter()
    before = sizes(Path(home))
    with meter.stage("add"):
        outcome = book.add(incoming)
    if outcome.chunks.embedded != SECTIONS:
        raise ValueError(outcome.verdict.sentence)
    return {**meter.stages, "files": new_bytes(before, sizes(Path(home)))}


def simple(home: str, folder: str) -> contestant.Result:
    """Insert ten embedded nodes into the index in memory and save it, as llama-index does: all of it.

    Reading, splitting and embedding are left out, and so is loading the index first.
    """
    from llama_index.core.schema import TextNode

    from bench.hashed import HashedWords
    from bench.simple_index import index_of, nodes
    from bench.texts import document

    model = HashedWords()
    index = index_of(nodes(home))
    added = [
        TextNode(text=text, embedding=model.get_text_embedding(text), metadata={"media_type": "text/markdown"})
        for text in document(NEW).split("\n\n## ")
    ]
    meter = Meter()
    with meter.stage("add"):
        index.insert_nodes(added)
        index.storage_context.persist(folder)
    return {**meter.stages, "files": new_bytes({}, sizes(Path(folder)))}

"""`open`: a saved index opened after a restart, up to the first hits."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from bench import contestant, notebooks
from bench.figures import Report, middle
from bench.meter import Meter
from bench.texts import questions

CHUNKS = 10_000
HITS = 5
LATE = ("rag.sources.registry", "rag.models.identity", "rag.models.multilingual")
"""What the first search would import; in a running app it is imported already."""


def measure(work: Path, extent: str) -> Report:
    """Compare `open_snapshot` and the first search with `load_index_from_storage` and the first retrieve."""
    home = notebooks.home(work, CHUNKS)
    saved = work / "simple-index"
    asked = questions(2)
    ours = [
        contestant.run(__name__, "ragbook", home=str(home), asked=asked) for _ in range(3 if extent == "quick" else 7)
    ]
    persisted = contestant.run(__name__, "persist", home=str(home), folder=str(saved))
    theirs = [
        contestant.run(__name__, "simple", folder=str(saved), asked=asked) for _ in range(1 if extent == "quick" else 2)
    ]
    if any(run["dense"] != theirs[0]["hits"] for run in ours):
        raise ValueError("the contestants do not find the same chunks")
    report = Report(
        "open",
        f"{CHUNKS:,} chunks x 384 after a restart, to the first {HITS} hits with text; medians of {len(ours)} and "
        f"{len(theirs)} processes",
        ["", "CPU s", "memory grown MB", "modules loaded"],
        raw={"ragbook": ours, "persist": persisted, "simple": theirs},
    )
    for title, runs, stage in (
        ("Ragbook: open_snapshot", ours, "open"),
        ("Ragbook: first search, dense + full text", ours, "search"),
        ("Ragbook: open + first search", ours, "both"),
        ("Ragbook: a second question", ours, "again"),
        ("Ragbook: imports, not counted above", ours, "imports"),
        ("llama-index: persist", [persisted], "persist"),
        ("llama-index: load_index_from_storage", theirs, "load"),
        ("llama-index: load + first retrieve, dense", theirs, "both"),
        ("llama-index: a second question", theirs, "again"),
        ("llama-index: imports, not counted above", theirs, "imports"),
    ):
        figures = {field: middle(runs, stage, field) for field in ("cpu", "grown", "imported")}
        report.rows.append([title, f"{figures['cpu']:.3f}", f"{figures['grown']:.1f}", f"{figures['imported']:.0f}"])
    cpu = middle(ours, "both", "cpu")
    load, both, persist = middle(theirs, "load", "cpu"), middle(theirs, "both", "cpu"), persisted["persist"]["cpu"]
    report.smaller("CPU, open + first search / llama-index load + first retrieve", cpu, both, 300)
    report.smaller("CPU, the same / llama-index persist + load + first retrieve", cpu, persist + both, 300)
    report.smaller("CPU, the same / llama-index load alone", cpu, load)
    report.smaller("memory grown, the same", middle(ours, "both", "grown"), middle(theirs, "both", "grown"), 4)
    return report


def ragbook(home: str, asked: list[str]) -> contestant.Result:
    """Open and search; then the next question, which finds everything in memory."""
    from rag.notebook import open_snapshot

    for module in LATE:
        import_module(module)
    first, second = asked

    meter = Meter()
    book = notebooks.notebook(home)
    model = book.models.embedder(book.config)
    for text in (first, second):
        model.embed_query(text)  # the stub's own cost is no part of opening
    meter.imported()
    with meter.stage("open"):
        opened = open_snapshot(book)
    with meter.stage("search"):
        found = opened.search(first, HITS)
    assert len(found.passages) == HITS
    assert all(passage.text for passage in found.passages)
    with meter.stage("again"):
        opened.search(second, HITS)
    meter.join("both", "open", "search")
    hits = opened.index.as_retriever(similarity_top_k=HITS).retrieve(first)
    return {**meter.stages, "dense": [hit.node.node_id for hit in hits]}


def persist(home: str, folder: str) -> contestant.Result:
    """Save the same chunks as llama-index does."""
    from bench.simple_index import index_of, nodes

    meter = Meter()
    index = index_of(nodes(home))
    with meter.stage("persist"):
        index.storage_context.persist(folder)
    return meter.stages


def simple(folder: str, asked: list[str]) -> contestant.Result:
    """Load and retrieve; then the next question."""
    from llama_index.core import StorageContext, load_index_from_storage

    from bench.hashed import HashedWords
    from bench.simple_index import first_hits

    first, second = asked
    model = HashedWords()
    for text in asked:
        model.get_query_embedding(text)
    meter = Meter()
    meter.imported()
    with meter.stage("load"):
        index: Any = load_index_from_storage(StorageContext.from_defaults(persist_dir=folder), embed_model=model)
    with meter.stage("search"):
        hits = first_hits(index, first, HITS)
    with meter.stage("again"):
        first_hits(index, second, HITS)
    meter.join("both", "load", "search")
    return {**meter.stages, "hits": hits}

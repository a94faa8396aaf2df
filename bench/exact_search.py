"""`exact`: the ten nearest of 100,000 vectors of 384 numbers, none left out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import contestant
from bench.figures import Report, middle
from bench.meter import Meter, cpu

ROWS, DIMENSIONS, HITS = 100_000, 384, 10
PAUSE = 0.05
"""Seconds between two questions."""

CONTESTANTS = {
    "numpy: matrix @ q, argpartition": "bare",
    "Ragbook: ExactIndex.top": "exact_index",
    "Ragbook: LanceVectorStore.query, nodes with text": "vector_store",
    "Lance: flat scan, ids and text": "flat_scan",
}


def measure(work: Path, extent: str) -> Report:
    """Compare all four on the same vectors and the same questions, each in processes of its own."""
    folder = work / "exact"
    contestant.run(__name__, "write", folder=str(folder))
    queries, processes = (20, 1) if extent == "quick" else (50, 2)
    found: dict[str, list[contestant.Result]] = {name: [] for name in CONTESTANTS.values()}
    for _ in range(processes):
        for name in CONTESTANTS.values():
            found[name].append(contestant.run(__name__, name, folder=str(folder), queries=queries))
    if len({str(run["nearest"]) for runs in found.values() for run in runs}) > 1:
        raise ValueError("the contestants do not find the same chunks")
    report = Report(
        "exact",
        f"top {HITS} of {ROWS:,} x {DIMENSIONS}; medians of {queries} questions in each of {processes} process(es)",
        [
            "",
            "CPU ms per question",
            f"with the {PAUSE * 1000:.0f} ms after it",
            "first question CPU ms",
            "memory grown MB",
        ],
        raw=found,
    )
    for title, name in CONTESTANTS.items():
        figures = [middle(found[name], field) for field in ("again", "until_next")]
        figures.append(middle(found[name], "first", "cpu") * 1000)
        report.rows.append([title, *(f"{one:.2f}" for one in figures), f"{middle(found[name], 'first', 'grown'):.0f}"])
    cost = {name: middle(runs, "again") for name, runs in found.items()}
    report.times("ExactIndex.top / bare numpy", cost["exact_index"], cost["bare"], 3)
    report.times("LanceVectorStore.query / bare numpy", cost["vector_store"], cost["bare"])
    report.times("LanceVectorStore.query / flat Lance scan", cost["vector_store"], cost["flat_scan"])
    return report


def write(folder: str) -> contestant.Result:
    """A chunk table of clustered vectors with a short text each, in 20 commits."""
    from rag.tables.chunk_rows import ChunkRow
    from rag.tables.chunk_table import ChunkTable

    table = ChunkTable.create(Path(folder), "chunks", DIMENSIONS, "bench")
    vectors = _vectors("rows", ROWS)
    for start in range(0, ROWS, 5000):
        numbers = range(start, start + 5000)
        table.upsert([ChunkRow(_id(n), "source", n, f"chunk number {n}", vector=vectors[n]) for n in numbers])
    return {"rows": table.count}


def bare(folder: str, queries: int) -> contestant.Result:
    """A matrix product and a partial sort."""
    matrix = _matrix(folder)

    def ask(query: npt.NDArray[np.float32]) -> list[str]:
        scores = matrix @ query
        top = np.argpartition(scores, -HITS)[-HITS:]
        return [_id(n) for n in top[np.argsort(-scores[top])]]

    return _asked(ask, queries)


def exact_index(folder: str, queries: int) -> contestant.Result:
    """The same, with ties, checks and scores that do not depend on other rows."""
    from rag.tables.exact import ExactIndex

    index = ExactIndex(_matrix(folder))
    return _asked(lambda query: [_id(number) for number, _ in index.top(query, HITS)], queries)


def vector_store(folder: str, queries: int) -> contestant.Result:
    """llama-index's interface, end to end; the first question loads the matrix."""
    from llama_index.core.vector_stores.types import VectorStoreQuery

    from rag.llamaindex.vector_store import LanceVectorStore

    store = LanceVectorStore.at(folder, "chunks", version=_version(folder))

    def ask(query: npt.NDArray[np.float32]) -> list[str]:
        answer = store.query(VectorStoreQuery(query_embedding=query.tolist(), similarity_top_k=HITS))
        assert answer.nodes
        return list(answer.ids or ())

    return _asked(ask, queries)


def flat_scan(folder: str, queries: int) -> contestant.Result:
    """Lance's own search without a vector index."""
    import lancedb
    import lancedb.remote.table

    table: Any = lancedb.connect(folder).open_table("chunks")

    def ask(query: npt.NDArray[np.float32]) -> list[str]:
        asked = table.search(query, vector_column_name="vector").distance_type("cosine").select(["id", "text"])
        return list(asked.limit(HITS).to_arrow()["id"].to_pylist())

    return _asked(ask, queries)


def _asked(ask: Callable[[npt.NDArray[np.float32]], list[str]], queries: int) -> contestant.Result:
    """The first question with what it found; the median CPU of the others in milliseconds, without and with the pause
    after each."""
    questions = _vectors("questions", queries + 1)
    meter = Meter()
    with meter.stage("first"):
        nearest = ask(questions[0])
    spent, until_next = [], []
    for query in questions[1:]:
        started = cpu()
        ask(query)
        spent.append((cpu() - started) * 1000)
        # Threads of a library may go on spinning when the answer is there.
        time.sleep(PAUSE)
        until_next.append((cpu() - started) * 1000)
    return {**meter.stages, "again": median(spent), "until_next": median(until_next), "nearest": nearest}


def _vectors(kind: str, count: int) -> npt.NDArray[np.float32]:
    """Normalised vectors around 200 centres; the same ones for the same kind."""
    centres = np.random.default_rng(0).standard_normal((200, DIMENSIONS), dtype=np.float32)
    chosen = np.random.default_rng(len(kind))
    around = centres[chosen.integers(0, len(centres), count)]
    vectors = around + chosen.standard_normal((count, DIMENSIONS), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _matrix(folder: str) -> npt.NDArray[np.float32]:
    """The vectors of the table, in memory of numpy's own; not measured."""
    from rag.tables.chunk_table import ChunkTable

    return np.array(ChunkTable.open(Path(folder), "chunks").exact()[0].matrix)


def _version(folder: str) -> int:
    from rag.tables.chunk_table import ChunkTable

    return ChunkTable.open(Path(folder), "chunks").version


def _id(number: int) -> str:
    return f"{number:06}"

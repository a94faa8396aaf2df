"""`hybrid`: what searching by meaning and by words together takes, beside one search alone, by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import contestant, notebooks
from bench.figures import Report
from bench.meter import cpu
from bench.texts import questions

if TYPE_CHECKING:
    from rag.asking.questions import Questions
    from rag.tables.reader import TableReader

CHUNKS = 10_000
HITS = 8
MOST_ADDED = 5.0
"""Milliseconds."""

_HYBRID, _DENSE, _WORDS, _BARE = "both, fused", "vectors alone", "words alone", "vectors alone, rows with text only"


def measure(work: Path, extent: str) -> Report:
    """Compare a question to `Searcher.search` with the same question where it finds nothing by words, or has no vector:
    all through to passages with text, copies merged and every source named. And with the rows of the nearest, read and
    no more."""
    home = notebooks.home(work, CHUNKS)
    rounds = 5 if extent == "quick" else 15
    runs = contestant.run(__name__, "asked", home=str(home), texts=questions(60), rounds=rounds)
    report = Report(
        "hybrid",
        f"{HITS} passages of {CHUNKS:,} chunks, with text; {rounds} rounds of 60 questions, whose vectors are made",
        ["", "ms by the clock, median", "least", "CPU ms"],
        raw=runs,
    )
    for title, run in runs.items():
        taken = run["seconds"]
        figures = (median(taken), min(taken), run["cpu"] / len(taken))
        report.rows.append([title, *(f"{figure * 1000:.2f}" for figure in figures)])
    both = runs[_HYBRID]["seconds"]
    for title, most in ((_DENSE, MOST_ADDED), (_WORDS, MOST_ADDED), (_BARE, None)):
        # Of each question its own difference: all are asked right after each other, under the same load.
        added = [(one - alone) * 1000 for one, alone in zip(both, runs[title]["seconds"], strict=True)]
        report.reaches(f"added by the clock over {title}, median", median(added), "ms", most=most)
    return report


def asked(home: str, texts: list[str], rounds: int) -> contestant.Result:
    """Every question to every search in turn: seconds by the clock of each, and CPU seconds of all."""
    from rag.notebook import open_snapshot

    searcher = open_snapshot(notebooks.notebook(home)).searcher
    reader = searcher.reader
    vectors: dict[str, Any] = {text: searcher.questions.vector(text)[0] for text in texts}

    def rows(text: str) -> list[Any]:
        return reader.passages_at([number for number, _ in reader.nearest(vectors[text], HITS)])

    vectors_alone: Any = _NoWords(reader)
    words_alone: Any = _NoVectors(searcher.questions)
    one, other = replace(searcher, reader=vectors_alone), replace(searcher, questions=words_alone)
    searches: dict[str, Callable[[str], Sequence[Any]]] = {
        _HYBRID: lambda text: searcher.search(text, HITS).passages,
        _DENSE: lambda text: one.search(text, HITS).passages,
        _WORDS: lambda text: other.search(text, HITS).passages,
        _BARE: rows,
    }
    for text in texts:
        for search in searches.values():
            search(text)
    runs: dict[str, dict[str, Any]] = {title: {"seconds": [], "cpu": 0.0} for title in searches}
    for turn in range(rounds):
        for text in texts:
            order = list(searches)
            for title in order[turn % len(order) :] + order[: turn % len(order)]:
                spent, started = cpu(), time.perf_counter()
                found = searches[title](text)
                runs[title]["seconds"].append(time.perf_counter() - started)
                runs[title]["cpu"] += cpu() - spent
                if len(found) != HITS:
                    raise ValueError(f"{title} found {len(found)} passages for {text!r}")
    return runs


class _NoWords:
    """A table in which words find nothing."""

    def __init__(self, reader: TableReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def begin_matching(self, *_: Any) -> None:
        return None

    def matching(self, *_: Any) -> list[tuple[int, float]]:
        return []


class _NoVectors:
    """Questions that have no vector."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._questions, name)

    def vector(self, _: str) -> tuple[None, str]:
        return None, ""

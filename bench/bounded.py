"""`memory`: what a build holds at once, as the folder that is added grows: many small files, and one large one."""

from __future__ import annotations

import shutil
from importlib import import_module
from itertools import count
from pathlib import Path

from bench import contestant, notebooks
from bench.appending import LATE
from bench.figures import Report
from bench.meter import Meter

LOADS = {
    "quick": (("files of 1 KB", 500), ("files of 1 KB", 2_000), ("MB in one file", 5)),
    "usual": (("files of 1 KB", 2_000), ("files of 1 KB", 20_000), ("MB in one file", 5), ("MB in one file", 20)),
}
LOADS["large"] = LOADS["usual"]
SAME = 2.0
"""Ten times the files take less than this many times the memory: of each file its row stays, and no text."""


def measure(work: Path, extent: str) -> Report:
    """Build each load in a process of its own, in a home of its own."""
    report = Report(
        "memory",
        "one build in a fresh process that has imported everything and built one document before; hashed words for a "
        "model",
        ["added", "chunks", "before MB", "grown MB", "peak MB", "CPU s"],
    )
    grown: dict[str, list[tuple[int, float]]] = {}
    for kind, size in LOADS[extent]:
        folder = work / "bounded"
        run = contestant.run(__name__, "build", folder=str(folder), kind=kind, size=size)
        shutil.rmtree(folder)
        cost = run["build"]
        report.raw[f"{size} {kind}"] = run
        report.rows.append(
            [
                f"{size:,} {kind}",
                f"{run['chunks']:,}",
                f"{cost['resident']:,.0f}",
                f"{cost['grown']:,.0f}",
                f"{cost['resident'] + cost['grown']:,.0f}",
                f"{cost['cpu']:,.1f}",
            ]
        )
        grown.setdefault(kind, []).append((size, cost["grown"]))
    for kind, found in grown.items():
        (few, little), (many, much) = found[0], found[-1]
        if many > few:
            goal = SAME if kind.startswith("files") else None
            report.times(f"memory of {many:,} / {few:,} {kind}", much, little, goal)
    return report


def build(folder: str, kind: str, size: int) -> contestant.Result:
    """Write the load, then add it."""
    from rag.sources.incoming import Incoming

    for module in LATE:
        import_module(module)
    home = Path(folder)
    notebooks.fill(str(home / "first"), 1)  # what the first build of a process loads: languages, stemmers, Lance
    load = home / "load"
    load.mkdir()
    paths = _small(load, size) if kind.startswith("files") else [_large(load, size)]
    incoming = [Incoming(path.name, path) for path in paths]
    book = notebooks.notebook(home / "home")
    meter = Meter()
    with meter.stage("build"):
        outcome = book.add(incoming)
    if outcome.sources.added != len(paths):
        raise ValueError(outcome.verdict.sentence)
    return {**meter.stages, "chunks": outcome.chunks.total}


def _small(folder: Path, size: int) -> list[Path]:
    from bench.texts import SECTIONS, document

    paths = []
    for number in range(-(-size // SECTIONS)):
        for section in document(number).split("\n\n## "):
            paths.append(folder / f"{len(paths):06}.txt")
            paths[-1].write_text(section)
    return paths[:size]


def _large(folder: Path, megabytes: int) -> Path:
    from bench.texts import document

    path = folder / "large.txt"
    with path.open("w") as writing:
        for number in count():
            text = document(number)
            if writing.tell() + len(text) > megabytes * 1_000_000:  # 20 million characters are the limit of a source
                return path
            writing.write(text)
    raise AssertionError("there is no end of numbers")

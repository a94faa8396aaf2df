"""The same contents through one build and through many single additions: what is left of that in every question."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench import contestant, notebooks
from bench.figures import Report, middle
from bench.meter import Meter, new_bytes, sizes
from bench.opening import HITS
from bench.opening import LATE as FOR_SEARCH
from bench.texts import SECTIONS, document, questions

if TYPE_CHECKING:
    from rag.notebook import Notebook

DOCUMENTS = {"quick": 40, "usual": 100, "large": 300}
ASKED, ROUNDS = 10, 3
SLOWER = 1.5
"""Times that a question may cost what it costs after one build."""


def compare(work: Path, extent: str) -> Report:
    """Build both notebooks and ask both the same."""
    documents = DOCUMENTS[extent]
    once = notebooks.home(work, documents * SECTIONS)
    singly = work / "home-added-singly"
    grown = contestant.run(__name__, "add_singly", folder=str(singly), documents=documents)
    found: dict[str, list[contestant.Result]] = {"once": [], "singly": []}
    for _ in range(1 if extent == "quick" else 3):  # in turn, so that what else the machine does meets both
        found["once"].append(contestant.run(__name__, "ask", folder=str(once)))
        found["singly"].append(contestant.run(__name__, "ask", folder=str(singly)))
    if found["once"][0]["texts"] != found["singly"][0]["texts"]:
        raise ValueError("the two notebooks do not find the same passages")
    report = Report(
        "growth by single additions",
        f"{documents} documents of {SECTIONS} chunks in one build, and one by one; {ASKED} questions, medians of "
        f"{ROUNDS} rounds in {len(found['once'])} processes",
        ["", "one build", "one by one", "ratio"],
        raw={**found, "grown": grown},
    )
    for title, stage, kind, scale in (
        ("a question, CPU ms", "question", "cpu", 1000),
        ("the first question, CPU ms", "first", "cpu", 1000),
        ("open_snapshot, CPU ms", "open", "cpu", 1000),
        ("pinned files", "files", "count", 1),
        ("home, MB", "home", "bytes", 1e-6),
    ):
        built, added = (scale * middle(found[name], stage, kind) for name in ("once", "singly"))
        report.rows.append([title, f"{built:,.1f}", f"{added:,.1f}", f"{added / built:.2f}"])
    cost = {name: middle(found[name], "question", "cpu") for name in found}
    report.times(f"a question after {documents} additions / after one build", cost["singly"], cost["once"], SLOWER)
    tenth = documents // 10
    early, late = median(grown["cpu"][:tenth]), median(grown["cpu"][-tenth:])
    report.times("CPU of an addition, the last tenth / the first", late, early)
    report.reaches("CPU of an addition, all of them", 1000 * sum(grown["cpu"]) / documents, "ms on average")
    report.reaches("bytes written by an addition, all of them", grown["written"] / documents / 1000, "KB on average")
    return report


def add(book: Notebook, number: int) -> None:
    """One document of ten chunks."""
    from rag.sources.incoming import Incoming

    outcome = book.add([Incoming(f"{number:06}.md", content=document(number).encode())])
    if outcome.chunks.embedded != SECTIONS:
        raise ValueError(outcome.verdict.sentence)


def add_singly(folder: str, documents: int) -> contestant.Result:
    """Add so many documents to a new home, one by one."""
    meter = Meter()
    book = notebooks.notebook(folder)
    for number in range(documents):
        with meter.stage(str(number)):
            add(book, number)
    spent = list(meter.stages.values())
    return {"cpu": [one["cpu"] for one in spent], "written": sum(one["written"] for one in spent)}


def ask(folder: str) -> contestant.Result:
    """Open, ask the first question, then the others, several times."""
    from rag.notebook import open_snapshot

    for module in FOR_SEARCH:
        import_module(module)
    meter = Meter()
    first, *asked = questions(ASKED + 1)
    book = notebooks.notebook(folder)
    with meter.stage("open"):
        opened = open_snapshot(book)
    with meter.stage("first"):
        opened.search(first, HITS)
    spent, texts = [], []
    for turn in range(ROUNDS):
        for text in asked:
            with meter.stage("question"):
                found = opened.search(text, HITS)
            spent.append(meter.stages["question"]["cpu"])
            if not turn:
                texts.append(sorted(passage.text for passage in found.passages))
    return {
        **meter.stages,
        "question": {"cpu": median(spent)},
        "files": {"count": sum(len(table.files) for table in opened.manifest.tables.values())},
        "home": {"bytes": new_bytes({}, sizes(Path(folder)))},
        "texts": texts,
    }

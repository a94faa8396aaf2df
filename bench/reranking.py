"""`reranking`: what a local cross-encoder makes of the fused order, and what a question costs then.

Each document is a source of a notebook that is built and asked as users do. Only half of the questions are asked,
chosen by a digest, so that a model trained on the other half meets no question that it was trained on.
"""

from __future__ import annotations

import hashlib
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ir_measures

from bench.figures import Report
from bench.judged import find, questions_of
from bench.meter import Meter, cpu
from rag.asking.opening import Opened
from rag.asking.reranking import permutation, text_to_judge
from rag.citing.answer import Passage
from rag.config import Config
from rag.errors import ConfigError
from rag.models.rerankers import CANDIDATES, CrossEncoderReranker, Reranker
from rag.notebook import Notebook, open_snapshot
from rag.sources.incoming import Incoming

COLLECTIONS = ("cranfield", "cisi", "xquad-en")
DEEPER = 50
"""Candidates that are tried beside `CANDIDATES`."""
MOST = {"quick": 30, "usual": 60, "large": 10_000}
"""Held-out questions that are asked of each collection, at most, evenly chosen."""
TIMED = 5
"""Questions of each collection whose cost is measured."""
PATIENCE = 600.0
"""Seconds for one order: quality is measured even where the machine is too busy for the timeout of a search."""

ORDERS = ("fused", str(CANDIDATES), str(DEEPER), f"{CANDIDATES}, best possible", f"{DEEPER}, best possible")
"""Columns: as it was; re-ranked so many candidates; and what a model that knows the judgements would make of them."""

Judgements = dict[str, int]


@dataclass(frozen=True)
class Asked:
    """One question: documents with their relevance, and what the half is decided by."""

    key: str
    text: str
    relevant: Judgements
    family: str

    @property
    def held_out(self) -> bool:
        """Whether it is in the half that is asked here; the other half is free to train on."""
        return hashlib.sha256(self.family.encode()).digest()[0] % 2 == 1


@dataclass
class Tally:
    """Runs of one collection by what ordered them, and milliseconds of CPU of single questions."""

    runs: dict[str, list[ir_measures.ScoredDoc]] = field(default_factory=dict)
    spent: dict[str, list[float]] = field(default_factory=dict)
    changed: int = 0


def measure(work: Path, extent: str, data: Path, model: str | None) -> Report:
    """Ask the held-out questions as fused, and re-ranked by the cross-encoder at `model`."""
    if model is None:
        raise SystemExit("Name a cross-encoder with --model: a folder, or a model of the Hugging Face hub.")
    meter = Meter()
    try:
        with meter.stage("loading"):
            reranker = CrossEncoderReranker(model, candidates=DEEPER, timeout=PATIENCE)
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    report = Report(
        "reranking",
        f"nDCG@10 and CPU ms per question, {model}",
        ["collection", "questions", *ORDERS, "fused: CPU ms", "re-ranked: CPU ms"],
    )
    there, missing = find(data)
    folders = {name: folder for name, folder in there if name in COLLECTIONS}
    for sentence in missing:
        if sentence.split(" ", 1)[0] in COLLECTIONS:
            print(sentence)
    if not folders:
        raise SystemExit(f"There are no collections below {data}. Name their folder with --data.")
    with meter.stage("asking"):
        for name, folder in folders.items():
            _row(report, name, work / f"reranking-{name}", folder, reranker, MOST[extent])
            print(f"  {name}: done", file=sys.stderr, flush=True)
    report.raw["costs"] = meter.stages
    loading, asking = meter.stages["loading"], meter.stages["asking"]
    report.reaches("loading the model", loading["cpu"], "CPU s")
    report.reaches("memory grown by loading it", loading["grown"], "MB")
    report.reaches("and by asking", asking["grown"], "MB")
    return report


def asked(name: str, folder: Path) -> tuple[list[tuple[str, str]], list[Asked]]:
    """Documents, and the questions of one collection. Questions on one document of XQuAD are in the same half: its
    paragraphs are on one topic."""
    documents, questions, judged, families = questions_of(name, folder)
    relevant: dict[str, Judgements] = {}
    for key, document, relevance in judged:
        relevant.setdefault(key, {})[document] = relevance
    return documents, [Asked(key, text, relevant[key], families.get(key, key)) for key, text in questions]


def notebook(home: Path, documents: Sequence[tuple[str, str]], reranker: Reranker | None = None) -> Notebook:
    """A notebook whose sources are the documents, built if it is not yet; with a re-ranker, which is chosen then."""
    config = Config(home=str(home), reranker="cross-encoder" if reranker else "none")
    book = Notebook(config, make_reranker=(lambda _: reranker) if reranker else None)
    if not home.exists():
        book.add([Incoming(f"{key}.txt", content=text.encode()) for key, text in documents if text])
    return book


def _row(report: Report, name: str, home: Path, folder: Path, reranker: CrossEncoderReranker, most: int) -> None:
    documents, questions = asked(name, folder)
    plain = open_snapshot(notebook(home, documents))
    reranked = open_snapshot(notebook(home, documents, reranker))
    held_out = [one for one in questions if one.held_out]
    held_out = held_out[:: math.ceil(len(held_out) / most)]
    tally = Tally()
    for at, question in enumerate(held_out):
        _ask(tally, question, plain, reranked if at < TIMED else None, reranker)
    judgements = [
        ir_measures.Qrel(one.key, document, relevance)
        for one in held_out
        for document, relevance in one.relevant.items()
    ]
    figures = {
        title: ir_measures.calc_aggregate([ir_measures.nDCG @ 10], judgements, run)[ir_measures.nDCG @ 10]
        for title, run in tally.runs.items()
    }
    ms = {title: statistics.median(spent) for title, spent in tally.spent.items()}
    report.rows.append(
        [
            name,
            str(len(held_out)),
            *(f"{figures[title]:.4f}" for title in ORDERS),
            f"{ms['fused']:.0f}",
            f"{ms['re-ranked']:.0f}",
        ]
    )
    report.raw[name] = {"nDCG@10": figures, "CPU ms": tally.spent, "order changed": tally.changed}
    report.reaches(f"{name}: orders that the model changed", 100 * tally.changed / len(held_out), "% of the questions")


def _ask(tally: Tally, question: Asked, plain: Opened, reranked: Opened | None, reranker: CrossEncoderReranker) -> None:
    shown: list[str] = []
    for title, opened in (("fused", plain), ("re-ranked", reranked)):
        if reranked is not None and opened is not None:
            started = cpu()
            shown = [one.chunk_id for one in opened.search(question.text).passages]
            tally.spent.setdefault(title, []).append(1000 * (cpu() - started))
    found = plain.search(question.text, DEEPER).passages
    order = reranker.order(question.text, [text_to_judge(one) for one in found], cancelled=bool, record=lambda _: None)
    # A pair's score depends on nothing else, so fewer candidates keep their order among themselves.
    first = [at for at in order if at < CANDIDATES]
    best = permutation(first, len(found))
    if reranked is not None and shown != [found[at].chunk_id for at in best[: len(shown)]]:
        raise ValueError(f"a search and the model alone give two orders for {question.text[:60]!r}")
    worth = [max(question.relevant.get(name, 0) for name in _documents([one])) for one in found]
    perfect = sorted(range(len(found)), key=lambda at: (-worth[at], at))
    perfect_first = permutation([at for at in perfect if at < CANDIDATES], len(found))
    orders = (range(len(found)), best, order, perfect_first, perfect)
    for title, positions in zip(ORDERS, orders, strict=True):
        ranked = enumerate(_documents([found[at] for at in positions]))
        tally.runs.setdefault(title, []).extend(
            ir_measures.ScoredDoc(question.key, document, -rank) for rank, document in ranked
        )
    tally.changed += first != sorted(first)


def _documents(passages: Sequence[Passage]) -> Iterator[str]:
    """Each document once, at the place of its best passage."""
    names = (name for one in passages for name in (one.source, *one.also_in))
    yield from dict.fromkeys(name.removesuffix(".txt") for name in names)

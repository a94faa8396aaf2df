"""`citations`: how often the check of citations is right, on labelled claims."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.citation_cases import TRUE, Case, kept, made
from bench.figures import Report

ROOT = Path(__file__).parent.parent
OWN = ROOT / "tests" / "rag" / "claims" / "citation_cases.jsonl"
PARAPHRASES = OWN.with_name("paraphrase_cases.jsonl")
ON_DOCUMENTS = OWN.with_name("document_cases.jsonl")
DOCUMENTS = ROOT.parent / "shared" / "data"
XQUAD = DOCUMENTS / "qa" / "xquad"
LEAST_PRECISION, LEAST_RECALL = 0.98, 0.90
_PASSAGES_OF_DOCUMENT = 3


def measure(_work: Path, extent: str) -> Report:
    """Precision and recall of *verified*, per class and for each half of the cases."""
    sets = {"own texts": kept(OWN), "as a model writes": kept(PARAPHRASES)}
    if on_documents := kept(ON_DOCUMENTS, DOCUMENTS):
        sets["the same, on documents"] = on_documents
    for folder in sorted(XQUAD.glob("*")) if extent != "quick" else ():
        if cases := public(folder):
            sets[f"XQuAD {folder.name}"] = cases
    report = Report(
        "citations",
        "claims whose label is known; right is verified for true ones, elsewhere for misattributed, else not found",
        ["", "cases", "right", "taken for verified"],
    )
    for name, cases in sets.items():
        spent = []
        states = []
        for case in cases:
            started = time.process_time()
            states.append(case.check().state)
            spent.append(time.process_time() - started)
        for half in (False, True):
            chosen = [(case, state) for case, state in zip(cases, states, strict=True) if case.held_out == half]
            _add(report, f"{name}, {'held out' if half else 'development'}", chosen)
        report.raw[name] = {"median_ms": round(1000 * median(spent), 3), "cases": len(cases)}
        report.reaches(
            f"{name}: a claim and its three passages, taken apart anew", 1000 * median(spent), "CPU ms, median"
        )
    return report


def public(folder: Path) -> list[Case]:
    """Cases made by rule from the documents of one language of XQuAD."""
    texts = []
    for path in sorted(folder.glob("documents/*.txt")):
        paragraphs = [text for text in path.read_text("utf-8").split("\n\n") if len(text) > 150]
        texts += paragraphs[:_PASSAGES_OF_DOCUMENT]
    return made(texts, folder.name, f"xquad-{folder.name}") if texts else []


def scores(checked: Sequence[tuple[Case, str]]) -> tuple[float, float]:
    """Precision and recall of *verified*."""
    said = [case for case, state in checked if state == "verified"]
    true = [case for case, _ in checked if case.kind in TRUE]
    right = sum(case.kind in TRUE for case in said)
    return right / max(1, len(said)), right / max(1, len(true))


def _add(report: Report, name: str, checked: Sequence[tuple[Case, str]]) -> None:
    kinds = Counter(case.kind for case, _ in checked)
    for kind in sorted(kinds, key=lambda one: (one not in TRUE, one)):
        states = [(state, case.expected) for case, state in checked if case.kind == kind]
        right = sum(state == expected for state, expected in states)
        wrong = "" if kind in TRUE else str(sum(state == "verified" for state, _ in states))
        report.rows.append([f"{name}: {kind}", str(len(states)), str(right), wrong])
    precision, recall = scores(checked)
    report.reaches(f"{name}: precision of verified", 100 * precision, "%", least=100 * LEAST_PRECISION)
    report.reaches(f"{name}: recall of true claims", 100 * recall, "%", least=100 * LEAST_RECALL)

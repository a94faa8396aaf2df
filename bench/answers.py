"""`answers`: what is answered without a language model, and what is declined, on questions with known answers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.figures import Report
from rag.asking.answering import ask
from rag.asking.opening import Opened
from rag.citing.answer import Answer
from rag.config import Config
from rag.models.embedder import Embedder
from rag.models.factory import make_embedder
from rag.notebook import Notebook, open_snapshot
from rag.sources.incoming import Incoming

DATA = Path(os.environ.get("BENCH_DATA", "../shared/data"))
"""Where `qa/xquad/<language>`, `qa/manuals` and `docs` are."""

LEAST_ANSWERED, LEAST_DECLINED, MOST_LOST = 92, 80, 5
STEPS = {"quick": 6, "usual": 3, "large": 1}
"""Every so many-th question is asked."""

Question = dict[str, Any]


@dataclass
class Tally:
    """What became of questions of one kind."""

    asked: int = 0
    declined: int = 0
    first: int = 0
    in_three: int = 0

    def add(self, answer: Answer, accepted: Sequence[Sequence[str]]) -> None:
        """Count an answer. `accepted` are the forms of the right one, each of parts that must all be said; none where
        there is none."""
        self.asked += 1
        if answer.kind == "nothing relevant":
            self.declined += 1
            return
        said = [plain(one.quote) for one in answer.citations[:3]]
        self.first += any(all(part in said[0] for part in form) for form in accepted)
        self.in_three += any(all(part in " ".join(said) for part in form) for form in accepted)

    def share(self, figure: str) -> float:
        """Per cent of the questions asked."""
        return 100 * float(getattr(self, figure)) / max(1, self.asked)


class Remembering:
    """The embedded model, which embeds a sentence once: 600 questions meet the same ones again and again."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._known: dict[str, np.ndarray] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def embed(self, texts: Sequence[str], *arguments: Any, **more: Any) -> Iterator[tuple[Any, np.ndarray]]:
        """As `Embedder.embed`, in one batch."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for indexes, matrix in self._inner.embed(new, *arguments, **more):
            self._known.update(zip([new[index] for index in indexes], matrix, strict=True))
        yield list(range(len(texts))), np.array([self._known[text] for text in texts])


def measure(work: Path, extent: str) -> Report:
    """Ask what can be answered, and the same after what answers it was taken out."""
    report = Report(
        "answers",
        "XQuAD without a language model; per cent of the questions",
        ["", "questions", "answer in 1st sentence", "in first 3", "declined"],
    )
    for language in ("en", "de", "zh"):
        _xquad(report, work, language, STEPS[extent] * (1 if language == "en" else 2))
    if extent == "large":
        manuals(report, work)
    return report


def _xquad(report: Report, work: Path, language: str, step: int) -> None:
    folder = DATA / "qa" / "xquad" / language
    questions = lines(folder / "questions.jsonl")[::step]
    texts = {path.name: path.read_text("utf-8") for path in sorted((folder / "documents").glob("*.txt"))}
    book = _book(work / f"answers-{language}")
    book.add([Incoming(name, content=text.encode()) for name, text in texts.items()])
    whole, without_paragraph, without_document, elsewhere = Tally(), Tally(), Tally(), Tally()
    opened = open_snapshot(book)
    spent = [_ask(opened, one, whole) for one in questions]
    for one in lines(DATA / "qa" / "manuals" / "questions.jsonl"):
        _ask(opened, one | {"answer": None}, elsewhere)
    for name, text in texts.items():
        mine = [one for one in questions if Path(one["evidence_doc"]).name == name]
        for paragraph in dict.fromkeys(one["evidence_text"] for one in mine):
            if paragraph not in text:
                raise ValueError(f"{name} does not hold the evidence {paragraph[:60]!r}")
            book.add([Incoming(name, content=text.replace(paragraph, "").encode())])
            opened = open_snapshot(book)
            for one in mine:
                if one["evidence_text"] == paragraph:
                    _ask(opened, one | {"answer": None}, without_paragraph)
        book.remove([name])
        opened = open_snapshot(book)
        for one in mine:
            _ask(opened, one | {"answer": None}, without_document)
        book.add([Incoming(name, content=text.encode())])
    _row(report, f"{language}: answerable", whole)
    _row(report, f"{language}: the paragraph that answers taken out", without_paragraph)
    _row(report, f"{language}: the document that answers taken out", without_document)
    _row(report, f"{language}: questions about manuals (English)", elsewhere)
    report.raw[language] = {"milliseconds": spent}
    report.reaches(f"{language}: answerable questions declined", whole.share("declined"), "%", most=MOST_LOST)
    report.reaches(f"{language}: median of a question", median(spent), "ms")
    if language == "en":
        report.reaches("en: the answer in the first three", whole.share("in_three"), "%", least=LEAST_ANSWERED)
        for what, tally in (("paragraph", without_paragraph), ("document", without_document)):
            report.reaches(f"en: declined without the {what}", tally.share("declined"), "%", least=LEAST_DECLINED)


def manuals(report: Report, work: Path) -> None:
    """Questions on technical manuals, some without an answer; documents that cannot be read are left out."""
    questions = lines(DATA / "qa" / "manuals" / "questions.jsonl")
    home = work / "answers-manuals"
    found = home.exists()
    book = _book(home)
    if not found:
        named = sorted({one["evidence_doc"] for one in questions if one.get("evidence_doc")})
        book.add([Incoming(name.replace("/", "-"), DATA / "docs" / name) for name in named])
    read = {source.name for source in book.sources() if source.state == "indexed"}
    opened = open_snapshot(book)
    known, unknown, foreign = Tally(), Tally(), Tally()
    for one in questions:
        if one["kind"] == "unanswerable":
            _ask(opened, one | {"answer": None}, unknown)
        elif one["evidence_doc"].replace("/", "-") in read:
            _ask(opened, one, known)
    for one in lines(DATA / "qa" / "xquad" / "en" / "questions.jsonl")[::6]:
        _ask(opened, one | {"answer": None}, foreign)
    _row(report, "manuals: answerable", known)
    _row(report, "manuals: unanswerable", unknown)
    _row(report, "manuals: questions of XQuAD (English)", foreign)


def _ask(opened: Opened, question: Question, tally: Tally) -> float:
    """Ask, count, and give the milliseconds it took."""
    started = time.perf_counter()
    *_, answer = ask(opened, question["question"])
    spent = 1000 * (time.perf_counter() - started)
    if not isinstance(answer, Answer):
        raise TypeError("the last item is not the Answer")
    tally.add(answer, accepted(question))
    return spent


def accepted(question: Question) -> list[list[str]]:
    """The forms of the right answer, each of parts that must all be said; none where there is none."""
    if question["answer"] is None:
        return []
    return [[plain(part) for part in form] for form in question.get("answer_any") or [[question["answer"]]]]


def plain(text: str) -> str:
    """A text to compare: no capitals, single spaces."""
    return " ".join(text.split()).casefold()


def _row(report: Report, title: str, tally: Tally) -> None:
    answerable = title.endswith("answerable") and not title.endswith("unanswerable")
    figures = [f"{tally.share(name):.1f}" if answerable else "" for name in ("first", "in_three")]
    report.rows.append([title, str(tally.asked), *figures, f"{tally.share('declined'):.1f}"])


def _book(home: Path) -> Notebook:
    model = Remembering(make_embedder(Config()))
    return Notebook(Config(home=str(home)), make_embedder=lambda _: model)  # type: ignore[arg-type,return-value]


def lines(path: Path) -> list[Any]:
    """The values of a JSONL file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

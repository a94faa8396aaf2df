"""`context`: whether what answers a question stands in what a language model is sent, and how many tokens that is:
chunks as they were found, joined where they adjoin, and widened by those beside them.

No language model is called. Room is counted as for a model whose tokenizer is not known; tokens sent are those of
OpenAI's tokenizer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.answers import accepted, lines, plain
from bench.figures import Report
from rag.asking.neighbours import WIDENED, Neighbours
from rag.asking.opening import Opened
from rag.asking.prompting import prompt
from rag.citing.answer import Found, Passage
from rag.config import Config
from rag.models.llms import make_llm
from rag.models.tokens import count_bpe
from rag.notebook import Notebook, open_snapshot
from rag.sources.incoming import Incoming

WINDOWS = (2048, 4096, 8192, 32768)
STEPS = {"quick": 6, "usual": 3, "large": 1}
"""Every so many-th question of XQuAD is asked; of the manuals, all."""


@dataclass
class Tally:
    """What was sent for the questions asked so far."""

    asked: int = 0
    answered: int = 0
    evidence: int = 0
    tokens: int = 0
    passages: int = 0

    def add(self, question: dict[str, Any], texts: list[str]) -> None:
        """Count what was sent for a question: the accepted answer, all parts of one form of it, anywhere; the evidence
        whole, in one passage."""
        said = [plain(text) for text in texts]
        self.asked += 1
        self.answered += any(all(part in " ".join(said) for part in form) for form in accepted(question))
        self.evidence += any(plain(question["evidence_text"]) in text for text in said)
        self.tokens += sum(count_bpe("o200k_base", text) for text in texts)
        self.passages += len(texts)


def measure(work: Path, extent: str, data: Path) -> Report:
    """Send nothing, and look at what would be sent."""
    report = Report(
        "context",
        "per cent of the questions for which it stands in the passages sent; tokens of these on average",
        ["questions", "asked", "window", "passages", "the answer", "its evidence whole", "sent", "tokens"],
    )
    english = data / "qa" / "xquad" / "en"
    questions = lines(english / "questions.jsonl")[:: STEPS[extent]]
    given = [Incoming(path.name, path) for path in sorted((english / "documents").glob("*.txt"))]
    _rows(report, "XQuAD en", _opened(work / "context-en", given), questions)
    manuals = [one for one in lines(data / "qa" / "manuals" / "questions.jsonl") if one["kind"] != "unanswerable"]
    named = sorted({one["evidence_doc"] for one in manuals})
    opened = _opened(
        work / "context-manuals", [Incoming(name.replace("/", "-"), data / "docs" / name) for name in named]
    )
    read = {source.name for source in opened.notebook.sources() if source.state == "indexed"}
    _rows(report, "manuals", opened, [one for one in manuals if one["evidence_doc"].replace("/", "-") in read])
    return report


def _opened(home: Path, given: list[Incoming]) -> Opened:
    book = Notebook(Config(home=str(home)))
    if not home.exists():
        book.add(given)
    return open_snapshot(book)


@dataclass(frozen=True)
class _Widening(Neighbours):
    """Widens as many as it is told to, not as many as the prompt asks for."""

    most: int

    def in_context(
        self, passages: Sequence[Passage], cost: Callable[[Passage], int], room: int, *, widen: int
    ) -> list[Passage]:
        return super().in_context(passages, cost, room, widen=self.most if widen else 0)


WAYS = {"as found": None, "joined": 0, f"best {WIDENED} widened": WIDENED, "all widened": 1000}
"""How many passages are widened, by how the rows are called; None: they are not joined either."""


def _rows(report: Report, title: str, opened: Opened, questions: list[dict[str, Any]]) -> None:
    found = [opened.search(one["question"]) for one in questions]
    near = [opened.neighbours(one.passages) for one in found]
    for window in WINDOWS:
        for way, most in WAYS.items():
            tally = Tally()
            for question, one, beside in zip(questions, found, near, strict=True):
                given = None if most is None else _Widening(beside.rows, most)
                tally.add(question, sent(question["question"], one, window, given))
            shares = [f"{100 * figure / tally.asked:.1f}" for figure in (tally.answered, tally.evidence)]
            means = [f"{tally.passages / tally.asked:.1f}", f"{tally.tokens / tally.asked:,.0f}"]
            report.rows.append([title, str(tally.asked), f"{window:,}", way, *shares, *means])
    print(f"  {title}: done", file=sys.stderr, flush=True)


def sent(question: str, found: Found, window: int, near: Neighbours | None) -> list[str]:
    """Texts of the passages that a model of this window is sent."""
    llm = make_llm(
        Config(llm="openai-compatible", llm_model="any", llm_base_url="http://127.0.0.1:9/v1", llm_context=window)
    )
    if llm is None:
        raise TypeError("these settings name a language model")
    return [one.text for one in prompt(question, found.passages, llm, near).passages]

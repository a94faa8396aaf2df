"""Running a question set against one snapshot, or two side by side: one row per question and side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.citing.answer import Answer, Passage
from rag.evaluation.measures import contains, ndcg_at, ranked, recall_at, reciprocal_rank
from rag.evaluation.question_set import Question, QuestionSet
from rag.manifest import Receipt
from rag.progress import IsCancelled, never
from rag.sources.names import safe_name

if TYPE_CHECKING:
    from rag.asking.opening import Opened

DEPTH = 50
"""Passages from which sources are ranked: enough for ten different sources in most libraries."""

NDCG_AT = 10
DECLINED = "nothing relevant"
SEARCHED = "searched"
"""Kind of a row without an answer, because none was asked for."""

MEASURES: Mapping[str, str] = {
    "recall": "Recall@{k}",
    "mrr": "MRR",
    "ndcg": f"nDCG@{NDCG_AT}",
    "contains": "Answer contains",
    "verified": "Citations verified",
    "as_expected": "Answered or declined as expected",
}
"""Keys of `Row.scores` and what they are called; `{k}` is the number of passages. All are better when higher."""

OnAsked = Callable[[int, int, str], None]
"""Told after each question: how many are done, of how many, and the question."""


@dataclass(frozen=True)
class Side:
    """A snapshot to measure, and what it is called beside another one."""

    opened: Opened
    label: str


@dataclass(frozen=True)
class Row:
    """What one side made of one question.

    `ranking` are sources in order of their best passage among the first `DEPTH`, `rank` that of the first expected one.
    `citations` counts them by state. `scores` has, of `MEASURES`, those that something is expected of, each 0 to 1.
    `receipt` covers the question as any user would have asked it, ranking not included.
    """

    question: Question
    kind: str
    text: str
    ranking: tuple[str, ...]
    rank: int | None
    citations: Mapping[str, int]
    receipt: Receipt
    notes: tuple[str, ...]
    scores: Mapping[str, float]


class Trial:
    """A question set on its way through one or two sides. Any thread may read it while it runs.

    `rows` grows by one tuple per question, with a row for each side; `stopped` says that it ended before the last
    question. Where both sides are of one space, a question's vector is made once for both.
    """

    def __init__(
        self, questions: QuestionSet, side: Side, against: Side | None = None, *, k: int = 8, answers: bool = True
    ) -> None:
        self.questions = questions
        self.sides = _sharing(side, against)
        self.k = k
        self.answers = answers
        self.rows: list[tuple[Row, ...]] = []
        self.stopped = False

    @property
    def total(self) -> int:
        """Questions in the set."""
        return len(self.questions.questions)

    def side(self, at: int) -> list[Row]:
        """The rows of one side so far, in the order of the questions."""
        return [rows[at] for rows in list(self.rows)]

    def unknown_sources(self) -> dict[str, list[str]]:
        """Expected sources that a side does not have, by its label: they can never be found there."""
        wanted = dict.fromkeys(name for one in self.questions.questions for name in one.sources or ())
        found = {}
        for side in self.sides:
            known = set(side.opened.names.values())
            if missing := [name for name in wanted if _name(name) not in known]:
                found[side.label] = missing
        return found

    def run(self, *, on_asked: OnAsked | None = None, cancelled: IsCancelled = never) -> None:
        """Ask every question. When `cancelled()` comes true, what is under way is left out, and the rest is not asked.

        Each call to a model goes into the ledger, as that of any answer does.

        Raises:
            SpaceRefused, ModelError, StoreError: a search failed; the rows until then are kept. An answer that a
                language model failed to write is a row of kind `failed`.
        """
        self.stopped = True
        self._warm_up()
        for at, question in enumerate(self.questions.questions):
            if cancelled():
                return
            # In turns, so that neither side always finds the question's vector made and the files in memory.
            order = list(range(len(self.sides)))
            rows: dict[int, Row] = {}
            for which in order if at % 2 == 0 else reversed(order):
                rows[which] = asked(
                    self.sides[which].opened, question, self.k, answers=self.answers, cancelled=cancelled
                )
                if cancelled():
                    return
            self.rows.append(tuple(rows[which] for which in order))
            if on_asked is not None:
                on_asked(at + 1, self.total, question.text)
        self.stopped = False

    def _warm_up(self) -> None:
        """What the first question of a process loads must not count as that question's time. Only where it is free."""
        for side in self.sides:
            if side.opened.questions.space.provider == "local":
                side.opened.searcher.search(self.questions.questions[0].text, self.k)


def asked(opened: Opened, question: Question, k: int, *, answers: bool, cancelled: IsCancelled = never) -> Row:
    """Ask one question of one snapshot. Raises as `Trial.run`."""
    answer: Answer | None = None
    if answers:
        from rag.asking.answering import ask  # imports numpy, which showing a verdict does without

        for piece in ask(opened, question.text, k, cancelled=cancelled):
            if isinstance(piece, Answer):
                answer = piece
    found = answer or opened.search(question.text, k)
    deep = found.passages if k >= DEPTH else opened.search(question.text, DEPTH).passages  # its vector is there by now
    expected = {_name(name) for name in question.sources or ()}
    ranking = ranked(map(_names, deep), expected)
    scores: dict[str, float] = {}
    if expected:
        scores["recall"] = recall_at(ranked(map(_names, found.passages), expected), expected, k)
        scores["mrr"] = reciprocal_rank(ranking, expected)
        scores["ndcg"] = ndcg_at(ranking, expected, NDCG_AT)
    if answer is not None:
        scores |= _answer_scores(question, answer)
    return Row(
        question=question,
        kind=answer.kind if answer else SEARCHED,
        text=answer.text if answer else "",
        ranking=ranking,
        rank=next((rank for rank, name in enumerate(ranking, 1) if name in expected), None),
        citations=dict(Counter(str(one.state) for one in answer.citations)) if answer else {},
        receipt=found.receipt,
        notes=found.notes,
        scores=scores,
    )


def _answer_scores(question: Question, answer: Answer) -> dict[str, float]:
    scores: dict[str, float] = {}
    if question.answers:
        # A failed answer's text is the reason of its failure, and says nothing of the documents.
        scores["contains"] = float(answer.kind != "failed" and contains(answer.text, question.answers))
    if answer.citations:
        scores["verified"] = sum(one.state == "verified" for one in answer.citations) / len(answer.citations)
    if question.answerable is not None:
        declined = answer.kind == DECLINED
        scores["as_expected"] = float(answer.kind != "failed" and declined != question.answerable)
    return scores


def _names(passage: Passage) -> Sequence[str]:
    return (passage.source, *passage.also_in)


def _name(expected: str) -> str:
    """An expected source as the notebook names it."""
    return safe_name(expected)


def _sharing(side: Side, against: Side | None) -> tuple[Side, ...]:
    # What words alone find while a model is down says nothing of the index: it ends the trial.
    side = replace(side, opened=replace(side.opened, demanding=True))
    if against is None:
        return (side,)
    against = replace(against, opened=replace(against.opened, demanding=True))
    first, second = side.opened, against.opened
    if first.questions.space != second.questions.space:
        return (side, against)
    able = first.questions if first.questions.config is not None else second.questions
    return tuple(replace(one, opened=replace(one.opened, questions=able)) for one in (side, against))

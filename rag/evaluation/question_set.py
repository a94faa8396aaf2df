"""Question sets: files of one JSON object a line, as `docs/evaluation.md` describes them; read, checked, written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import QuestionSetInvalid
from rag.home.cells import Cell

_NAMES = {
    "question": "question",
    "query": "question",
    "sources": "sources",
    "source": "sources",
    "answers": "answers",
    "answer": "answers",
    "id": "id",
}
_LARGEST = 50_000_000


@dataclass(frozen=True)
class Question:
    """A question with what is expected of it.

    `sources` are display names of which each should be found; `answers` are accepted answers, of which one should stand
    in the answer. None: nothing is said about them. Both empty or None, and one of them empty: the documents do not
    answer it, and it should be declined.
    """

    id: str
    text: str
    sources: tuple[str, ...] | None = None
    answers: tuple[str, ...] | None = None

    @property
    def answerable(self) -> bool | None:
        """Whether the documents are expected to answer it; None where nothing is said."""
        if self.sources or self.answers:
            return True
        return None if self.sources is None and self.answers is None else False


@dataclass(frozen=True)
class QuestionSet:
    """Questions in the order of their file. `name` is the file's, for showing."""

    name: str
    questions: tuple[Question, ...]


def read_questions(path: Path) -> QuestionSet:
    """A question set from a file.

    Raises:
        QuestionSetInvalid: it cannot be read, or a line cannot; the sentence names file and line.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise QuestionSetInvalid(f"{path} is larger than {_LARGEST:,} bytes. Split it into several sets.")
        raw = path.read_bytes()
    except OSError as error:
        raise QuestionSetInvalid(f"{path} cannot be read: {error.strerror or error}. Check its name.") from error
    return parse_questions(raw, str(path))


def parse_questions(raw: bytes, name: str) -> QuestionSet:
    """A question set from the bytes of a file called `name`. Raises QuestionSetInvalid as `read_questions`."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = raw.count(b"\n", 0, error.start) + 1
        raise QuestionSetInvalid(f"{name}, line {number}: this is not UTF-8. Save the file as UTF-8.") from error
    questions: list[Question] = []
    first: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            question = _question(line, number)
        except QuestionSetInvalid as error:
            raise QuestionSetInvalid(f"{name}, line {number}: {error}") from error
        if question.id in first:
            raise QuestionSetInvalid(
                f"{name}, line {number}: the id {question.id!r} is taken by line {first[question.id]}. Give another."
            )
        first[question.id] = number
        questions.append(question)
    if not questions:
        raise QuestionSetInvalid(
            f'{name} has no questions. Write one a line, such as {{"question": "…", "answers": ["…"]}}.'
        )
    return QuestionSet(name, tuple(questions))


def written(questions: Iterable[Question]) -> str:
    """The lines of a question set, in the form that `parse_questions` reads."""
    lines = []
    for one in questions:
        fields: dict[str, Any] = {"id": one.id, "question": one.text}
        if one.sources is not None:
            fields["sources"] = list(one.sources)
        if one.answers is not None:
            fields["answers"] = list(one.answers)
        lines.append(json.dumps(fields, ensure_ascii=False) + "\n")
    return "".join(lines)


def save_questions(path: Path, questions: Iterable[Question]) -> None:
    """Write a new file.

    Raises:
        QuestionSetInvalid: there is a file of that name, or it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(written(questions))
    except FileExistsError as error:
        raise QuestionSetInvalid(f"{path} exists already. Give another name, or remove it first.") from error
    except OSError as error:
        raise QuestionSetInvalid(f"{path} cannot be written: {error.strerror or error}. Give another name.") from error


def questions_of(cells: Iterable[Cell]) -> tuple[Question, ...]:
    """A notebook's cells as a set: each question with the sources that its verified citations name, in their order.

    Cells without a verified citation are left out: nothing says what would be right. Of a question asked several times
    the newest cell counts. A question that leaned on the one above is there as it was searched for, because in a set it
    stands by itself. `cells` are oldest first, and so are the questions.
    """
    found: dict[str, Question] = {}
    for cell in cells:
        sources = dict.fromkeys(one.source for one in cell.answer.citations if one.state == "verified")
        question = " ".join((cell.answer.searched or cell.answer.question).split())
        if sources and question:
            found.pop(question, None)
            found[question] = Question(cell.id, question, tuple(sources))
    return tuple(found.values())


def _question(line: str, number: int) -> Question:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        what = getattr(error, "msg", "it is nested too deeply")
        raise QuestionSetInvalid(f"this is not JSON ({what}). Write one object a line.") from error
    if not isinstance(fields, dict):
        raise QuestionSetInvalid("this is not a JSON object. Write one object a line.")
    given: dict[str, Any] = {}
    for name, value in fields.items():
        field = _NAMES.get(name)
        if field is None:
            raise QuestionSetInvalid(f"there is no field {name!r}. There are: question, sources, answers, id.")
        if field in given:
            raise QuestionSetInvalid(f"{field!r} is given twice.")
        given[field] = value
    text = given.get("question")
    if not isinstance(text, str) or not text.strip():
        raise QuestionSetInvalid("'question' is missing or no text.")
    own = given.get("id", number)
    if isinstance(own, bool) or not isinstance(own, str | int) or not str(own).strip():
        raise QuestionSetInvalid("'id' is neither a text nor a whole number.")
    return Question(str(own), text, _texts(given, "sources"), _texts(given, "answers"))


def _texts(given: dict[str, Any], name: str) -> tuple[str, ...] | None:
    value = given.get(name)
    if value is None:
        return None
    values = [value] if isinstance(value, str | int | float) and not isinstance(value, bool) else value
    if not isinstance(values, list):
        raise QuestionSetInvalid(f"'{name}' is neither a text nor a list of texts.")
    texts = []
    for one in values:
        if isinstance(one, bool) or not isinstance(one, str | int | float) or not str(one).strip():
            raise QuestionSetInvalid(f"'{name}' holds {json.dumps(one)[:60]}, which is no text.")
        texts.append(str(one))
    return tuple(dict.fromkeys(texts))

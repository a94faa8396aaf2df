"""Question sets: their forms, their errors with file and line, and cells as a set."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rag.citing.answer import Answer, Citation
from rag.errors import QuestionSetInvalid
from rag.evaluation.question_set import Question, parse_questions, questions_of, read_questions, save_questions, written
from rag.home.cells import Cell
from rag.manifest import Receipt, VerdictName


def parsed(*lines):
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return parse_questions(text.encode(), "q.jsonl").questions


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ({"question": "Q?", "sources": ["a", "b"], "answers": ["x"]}, Question("1", "Q?", ("a", "b"), ("x",))),
        ({"question": "Q?", "sources": "a", "answers": "x"}, Question("1", "Q?", ("a",), ("x",))),
        ({"question": "Q?", "source": "a", "answer": "x"}, Question("1", "Q?", ("a",), ("x",))),
        ({"query": "Q?", "answer": 30}, Question("1", "Q?", None, ("30",))),
        ({"question": "Q?", "answers": [1.5, "1.5"]}, Question("1", "Q?", None, ("1.5",))),
        ({"question": "Q?", "id": 7}, Question("7", "Q?")),
        ({"question": "Q?", "id": "x", "sources": None}, Question("x", "Q?")),
        ({"question": "Q?", "answers": []}, Question("1", "Q?", None, ())),
    ],
)
def test_forms_of_a_line(line, question):
    assert parsed(line) == (question,)


@pytest.mark.parametrize(
    ("sources", "answers", "answerable"),
    [(None, None, None), (("a",), None, True), (None, ("x",), True), (("a",), (), True), ((), None, False),
     (None, (), False), ((), (), False)],
)  # fmt: skip
def test_what_is_expected_says_whether_it_can_be_answered(sources, answers, answerable):
    assert Question("1", "Q?", sources, answers).answerable is answerable


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_fine():
    raw = '\ufeff{"question": "One?"}\r\n\r\n{"question": "Two?\u2028 or three?"}\r\n'.encode()
    one, two = parse_questions(raw, "q.jsonl").questions
    assert (one.id, two.id) == ("1", "3")
    assert two.text == "Two?\u2028 or three?"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ({"question": ""}, "'question' is missing"),
        ({"answers": ["x"]}, "'question' is missing"),
        ({"question": 3}, "'question' is missing"),
        ({"question": "Q?", "awnsers": ["x"]}, "no field 'awnsers'. There are: question, sources, answers, id."),
        ({"question": "Q?", "answer": "x", "answers": "y"}, "'answers' is given twice"),
        ({"question": "Q?", "sources": {"a": 1}}, "'sources' is neither"),
        ({"question": "Q?", "sources": [["a"]]}, "'sources' holds"),
        ({"question": "Q?", "answers": [" "]}, "'answers' holds"),
        ({"question": "Q?", "answers": [True]}, "'answers' holds true"),
        ({"question": "Q?", "id": []}, "'id' is neither"),
        ({"question": "Q?", "id": True}, "'id' is neither"),
        ({"question": "Q?", "id": "first"}, "'first' is taken by line 1"),
    ],
)
def test_errors_name_file_and_line(line, said):
    with pytest.raises(QuestionSetInvalid) as failed:
        parsed({"question": "Fine?", "id": "first"}, "", line)
    assert str(failed.value).startswith("q.jsonl, line 3: ")
    assert said in str(failed.value)


def test_other_bytes_are_named_with_their_line():
    with pytest.raises(QuestionSetInvalid, match=r"q.jsonl, line 2: this is not UTF-8"):
        parse_questions(b'{"question": "a"}\n{"question": "\xff"}', "q.jsonl")


@pytest.mark.parametrize("raw", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_set_says_what_a_line_looks_like(raw):
    with pytest.raises(QuestionSetInvalid, match=r'q.jsonl has no questions. .*"question"'):
        parse_questions(raw, "q.jsonl")


def test_files(tmp_path):
    path = tmp_path / "q.jsonl"
    with pytest.raises(QuestionSetInvalid, match=r"q.jsonl cannot be read: No such file"):
        read_questions(path)
    with pytest.raises(QuestionSetInvalid, match=r"cannot be read: Is a directory"):
        read_questions(tmp_path)
    questions = (
        Question("1", "Ünïcode?", ("a b.md",), None),
        Question("x", "Two?", None, ("y", "z")),
        Question("n", "None?", (), None),
    )
    save_questions(path, questions)
    assert read_questions(path).questions == questions
    assert read_questions(path).name == str(path)
    with pytest.raises(QuestionSetInvalid, match="exists already"):
        save_questions(path, questions)
    assert path.read_text("utf-8") == written(questions)


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(QuestionSetInvalid, match=r"q.jsonl cannot be written: No such file"):
        save_questions(tmp_path / "none" / "q.jsonl", ())


ANSWER = Answer("Q?", "A. [1]", "extractive", (), (), 1, VerdictName.HIT, "r", "s", "none", Receipt())


def cell(id, question, *citations, searched=""):
    cited = tuple(Citation(n, source, "quote", state) for n, (source, state) in enumerate(citations, 1))
    answer = replace(ANSWER, question=question, searched=searched, citations=cited)
    return Cell(id, "2026-01-01T00:00:00Z", answer)


def test_cells_become_questions_with_the_sources_of_their_verified_citations():
    cells = [
        cell("a", "One?", ("x.md", "verified")),
        cell("b", "Two?", ("x.md", "not found"), ("y.md", "elsewhere")),
        cell("c", "Three?", ("y.md", "verified"), ("x.md", "verified"), ("y.md", "verified"), ("z.md", "not found")),
        cell("d", "Four?"),
        cell("e", " One?\n", ("z.md", "verified")),
    ]
    assert questions_of(cells) == (Question("c", "Three?", ("y.md", "x.md")), Question("e", "One?", ("z.md",)))
    assert parse_questions(written(questions_of(cells)).encode(), "q").questions == questions_of(cells)


def test_a_follow_up_is_in_the_set_as_it_was_searched_for():
    full = "And in 2024? revenue Uber"
    cells = [
        cell("a", "And in 2024?", ("x.md", "verified"), searched=full),
        cell("b", "And in 2024?", ("y.md", "verified"), searched="And in 2024? revenue Lyft"),
        cell("c", full, ("z.md", "verified")),
    ]
    assert questions_of(cells) == (
        Question("b", "And in 2024? revenue Lyft", ("y.md",)),
        Question("c", full, ("z.md",)),
    )

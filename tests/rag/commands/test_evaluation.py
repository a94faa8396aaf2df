"""`python -m rag eval`: its report, its table, comparing, cells as a set, Ctrl-C."""

from __future__ import annotations

import argparse
import json
import signal

import pytest

from rag.commands.cli import main
from rag.commands.evaluation import eval_report
from rag.errors import ServerDown
from rag.evaluation.question_set import read_questions
from rag.manifest import VerdictName
from rag.notebook import open_snapshot
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import answered, file, notebook

OWLS = "Owls hunt at night. They eat 12 mice a week."
BREAD = "Bread dough rises because yeast makes carbon dioxide."
LINES = (
    {"question": "When do owls hunt?", "source": "owls.txt", "answer": "at night"},
    {"question": "Why does bread dough rise?", "sources": ["bread.txt", "gone.txt"], "id": "rising"},
    {"question": "Who won the cup of 1954?", "answers": []},
)


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), "utf-8")
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("RAGBOOK_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def run(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main([str(one) for one in arguments]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return (json.loads(out) if "--json" in arguments else out), err


def test_the_command_from_files_to_a_comparison(home, questions, tmp_path, capsys):
    (tmp_path / "owls.txt").write_text(OWLS)
    (tmp_path / "bread.txt").write_text(BREAD)
    _, err = run(capsys, "eval", questions, code=1)
    assert err == "Nothing is built in this notebook yet. Add files first.\n"
    run(capsys, "add", tmp_path / "owls.txt")
    run(capsys, "add", tmp_path / "bread.txt")

    report, err = run(capsys, "eval", questions, "-k", 5, "--against", 1, "--json")
    assert err == ""
    assert (report["verdict"], report["snapshot"], report["notebook"]) == ("HIT", 2, "main")
    assert (report["questions"], report["asked"], report["stopped"], report["k"]) == (3, 3, False, 5)
    assert [(one["label"], one["snapshot"]) for one in report["sides"]] == [("snapshot 2", 2), ("snapshot 1", 1)]
    new, old = (one["totals"]["means"] for one in report["sides"])
    assert new["recall"] == {"value": 0.75, "questions": 2}
    assert old["recall"] == {"value": 0.5, "questions": 2}
    assert new["contains"] == old["contains"] == {"value": 1.0, "questions": 1}
    assert [row["id"] for row in report["rows"]] == ["1", "rising", "3"]
    assert [side["rank"] for side in report["rows"][1]["sides"]] == [1, None]
    recall = next(one for one in report["differences"] if one["measure"] == "recall")
    assert (recall["change"], recall["p"], recall["larger_than_chance"]) == (0.25, 1.0, False)
    assert report["notes"] == [
        "1 expected source is not in snapshot 2, and cannot be found: gone.txt.",
        "2 expected sources are not in snapshot 1, and cannot be found: bread.txt, gone.txt.",
    ]
    assert report["receipt"].keys() >= {"calls", "texts", "tokens", "cost_usd", "seconds"}

    lines, _ = run(capsys, "eval", questions, "--search-only")
    assert lines.startswith("3 questions.\n")
    assert "Recall@8           0.750 (2 questions)" in lines
    assert "Answer contains" not in lines
    assert "Declined" not in lines

    _, err = run(capsys, "eval", questions, "--against", 9, code=1)
    assert err == "There is no snapshot 9.\n"
    _, err = run(capsys, "eval", questions, "--against-notebook", "other", code=1)
    assert err.startswith("The notebook other has no snapshot to compare with.")
    _, err = run(capsys, "eval", questions, "--against-notebook", "main", code=2)
    assert "Name another one" in err
    run(capsys, "add", tmp_path / "owls.txt", "--notebook", "other")
    report, _ = run(capsys, "eval", questions, "--search-only", "--against-notebook", "other", "--json")
    assert [(one["label"], one["notebook"]) for one in report["sides"]] == [
        ("notebook main", "main"),
        ("notebook other", "other"),
    ]


def test_a_wrong_file_is_one_sentence_with_its_line(home, tmp_path, capsys):
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "Fine?"}\n{"question": }\n')
    _, err = run(capsys, "eval", path, code=1)
    assert err.startswith(f"{path}, line 2: this is not JSON")
    assert len(err.splitlines()) == 1
    assert not home.exists()


def options(path, **more):
    fields = {"file": path, "k": 8, "search_only": False, "against": None, "against_notebook": None}
    return argparse.Namespace(**(fields | {"from_cells": False} | more))


def evaluated(book, path, told=None, **more):
    return eval_report(book, options(path, **more), lambda slug: book, open_snapshot, told)


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    notebook(folder, CountingEmbedding()).add([file("owls.txt", OWLS), file("bread.txt", BREAD)])
    return folder


class Interrupting(ScriptedLLM):
    """Presses Ctrl-C while it writes its second answer."""

    def stream_complete(self, prompt, formatted=False, **kwargs):
        if self.calls == 1:
            signal.raise_signal(signal.SIGINT)
        return super().stream_complete(prompt, formatted, **kwargs)


def test_ctrl_c_keeps_and_reports_what_is_done(library, questions):
    before = signal.getsignal(signal.SIGINT)
    told = []
    llm = Interrupting("Owls hunt at night [1].")
    report = evaluated(notebook(library, CountingEmbedding(), llm=llm), questions, lambda *now: told.append(now[:2]))
    assert (report["verdict"], report["asked"], report["questions"], report["stopped"]) == ("CANCELLED", 1, 3, True)
    assert report["sentence"] == "Stopped. 1 question of 3 asked."
    assert [row["id"] for row in report["rows"]] == ["1"]
    assert told == [(1, 3)]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_search_that_fails_midway_reports_the_rows_until_then(library, questions):
    model = CountingEmbedding()
    book = notebook(library, model)
    model.fail(10, ServerDown("The server is down."))  # after eight canary texts and one question
    report = evaluated(book, questions)
    assert report["verdict"] is VerdictName.FAILED
    assert report["sentence"] == "The server is down. 1 question of 3 asked."
    with pytest.raises(ServerDown):
        evaluated(book, questions)


def test_failed_answers_and_questions_without_expectations_are_told(library, tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "When do owls hunt?"}\n')
    llm = ScriptedLLM("x", error=ServerDown("The server is down."))
    report = evaluated(notebook(library, CountingEmbedding(), llm=llm), path)
    assert report["notes"] == [
        "1 question without expected sources or answers: only cost and time count.",
        "1 answer of snapshot 1 failed. The first: The server is down.",
    ]


def test_cells_are_saved_as_a_set_that_can_be_run(library, tmp_path, capsys):
    book = notebook(library, CountingEmbedding())
    path = tmp_path / "cells.jsonl"
    with pytest.raises(Exception, match="No cell of this notebook has a verified citation"):
        evaluated(book, path, from_cells=True)
    for question in ("When do owls hunt at night?", "zzqx wvut", "When do owls hunt at night?"):
        book.keep_cell(answered(book, question))
    report = evaluated(book, path, from_cells=True)
    assert (report["questions"], report["left_out"]) == (1, 2)
    assert report["sentence"].startswith(f"1 question written to {path}. 2 cells left out")
    (question,) = read_questions(path).questions
    assert question.text == "When do owls hunt at night?"
    assert question.id == book.cells()[2].id
    assert "owls.txt" in question.sources
    assert evaluated(book, path)["sides"][0]["totals"]["means"]["recall"]["value"] == 1.0

"""The Lab page, over the real engine: choosing a set, running it, comparing, stopping."""

from __future__ import annotations

import json
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

import rag
from rag.evaluation import job as trials
from rag.evaluation.question_set import Question, QuestionSet
from rag.evaluation.trial import Side, Trial
from tests.app.walking import HANDBOOK, words
from tests.waiting import CEILING

Open = Callable[..., AppTest]
SET = "\n".join(
    json.dumps(line)
    for line in (
        {"question": "Within how many days may units be returned?", "source": "handbook.md", "answer": "30 days"},
        {"question": "What caused the gateway outage?", "sources": ["outage.txt"], "answers": ["a deer"]},
        {"question": "Who won the football cup of 1954?", "answers": []},
    )
).encode()


def upload(at: AppTest, content: bytes = SET, name: str = "set.jsonl") -> None:
    at.file_uploader(key="lab_upload").upload(name, content, "application/jsonl").run()
    assert not at.exception


def finish(at: AppTest, notebook: rag.Notebook) -> Trial:
    job = trials.current(notebook)
    assert job is not None
    job.wait(CEILING)
    assert not job.running
    at.run()
    assert not at.exception
    return job.trial


def test_without_an_index_it_leads_to_the_library(open_page: Open, notebook: rag.Notebook) -> None:
    at = open_page("lab")
    assert "Nothing to measure yet" in words(at)
    assert not at.file_uploader


def test_a_set_is_run_and_measured(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("lab")
    assert "No set is chosen yet." in words(at)
    assert "No results yet" in words(at)
    assert at.button(key="lab_run").disabled
    assert at.button(key="lab_cells").disabled
    upload(at)
    said = "set.jsonl: 3 questions, 2 with expected sources, 2 with accepted answers, 1 to be declined."
    assert said in words(at)
    at.button(key="lab_run").click().run()
    trial = finish(at, built)
    assert len(trial.rows) == 3
    text = words(at)
    assert "1.000 (2 questions)" in text
    assert "0.500 (2 questions)" in text
    assert "set.jsonl · 3 questions · 8 passages each" in text
    table = at.dataframe[0].value
    assert list(table["Question"]) == [one.text for one in trial.questions.questions]
    assert list(table["Answer"]) == ["extractive", "extractive", "nothing relevant"]
    assert list(table["Rank"])[:2] == [1, 1]
    at.run()
    assert trials.current(built) is not None
    assert trials.current(built).trial is trial, "a run is not started again on each rerun"


def test_two_snapshots_side_by_side(open_page: Open, built: rag.Notebook) -> None:
    built.add([rag.Incoming("outage.txt", content=b"Something else altogether, of lamps and of chairs.")])
    at = open_page("lab")
    upload(at)
    at.selectbox(key="lab_against_main_2").set_value("snapshot 1")
    at.toggle(key="lab_answers").set_value(False).run()
    at.button(key="lab_run").click().run()
    trial = finish(at, built)
    assert [side.label for side in trial.sides] == ["snapshot 2", "snapshot 1"]
    text = words(at)
    assert '<th scope="col">snapshot 2</th><th scope="col">snapshot 1</th>' in text
    assert 'data-measure="mrr"' in text
    assert "too few to tell from chance" in text
    assert {"Rank, snapshot 2", "Rank, snapshot 1"} <= set(at.dataframe[0].value.columns)
    assert {row.kind for pair in trial.rows for row in pair} == {"searched"}


def test_another_notebook_beside(open_page: Open, built: rag.Notebook) -> None:
    rag.open_notebook(rag.load_config(), "other").add([rag.Incoming("handbook.md", content=HANDBOOK)])
    at = open_page("lab")
    upload(at)
    at.selectbox(key="lab_against_main_1").set_value("notebook other").run()
    at.button(key="lab_run").click().run()
    trial = finish(at, built)
    assert [side.label for side in trial.sides] == ["notebook main", "notebook other"]
    assert "1 expected source is not in notebook other, and cannot be found: outage.txt." in words(at)


def test_a_wrong_set_says_where(open_page: Open, built: rag.Notebook) -> None:
    at = open_page("lab")
    upload(at, b'{"question": "Fine?"}\n{"question": 3}', "<b>set.jsonl")
    assert "&lt;b&gt;set.jsonl, line 2:" in words(at)
    assert at.button(key="lab_run").disabled
    at.run()
    assert "line 2:" in words(at), "it stays until another set is chosen"
    upload(at)
    assert "line 2:" not in words(at)
    assert not at.button(key="lab_run").disabled


def test_cells_are_a_set_to_run_and_to_save(open_page: Open, built: rag.Notebook) -> None:
    at = open_page()
    at.chat_input(key="ask").set_value("Within how many days may units be returned?").run()
    at = open_page("lab")
    (save,) = [one for one in at.get("download_button") if one.proto.label == "Save the cells as a set"]
    assert not save.proto.disabled
    at.button(key="lab_cells").click().run()
    assert "this notebook’s cells: 1 question, 1 with expected sources." in words(at)
    at.button(key="lab_run").click().run()
    trial = finish(at, built)
    assert trial.side(0)[0].scores["recall"] == 1.0


def test_a_run_is_cancelled_and_what_was_asked_is_shown(open_page: Open, built: rag.Notebook) -> None:
    questions = QuestionSet("long", tuple(Question(str(n), f"What of {n}?", ("handbook.md",)) for n in range(100_000)))
    trials.start(built, Trial(questions, Side(rag.open_snapshot(built), "snapshot 1"), answers=False))
    at = open_page("lab")
    assert "Running the questions" in words(at)
    assert at.button(key="lab_run").disabled
    at.button(key="trial_cancel").click().run()
    trial = finish(at, built)
    assert trial.stopped
    assert f"Stopped by you: {len(trial.rows):,} of 100,000 questions asked." in words(at)
    at.button(key="trial_close").click().run()
    assert trials.current(built) is None
    assert not at.dataframe

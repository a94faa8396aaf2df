"""A trial in the background: beside builds, one at a time, and its rows are kept when it is stopped."""

from __future__ import annotations

import threading

import pytest

from rag import jobs
from rag.errors import Busy, ServerDown
from rag.evaluation import job as trials
from rag.evaluation.question_set import Question, QuestionSet
from rag.evaluation.trial import Side, Trial
from rag.notebook import open_snapshot
from tests.doubles import CountingEmbedding, ScriptedLLM
from tests.notebooks import file, notebook
from tests.waiting import CEILING

SET = QuestionSet("q", tuple(Question(str(n), f"When do owls hunt {n}?", ("owls.txt",)) for n in range(5)))


class Held(ScriptedLLM):
    """Waits before its second answer until the test lets it go on."""

    def __init__(self):
        super().__init__("Owls hunt [1].")
        self._arrived, self._go = threading.Event(), threading.Event()

    def stream_complete(self, prompt, formatted=False, **kwargs):
        if self.calls == 1:
            self._arrived.set()
            assert self._go.wait(CEILING)
        return super().stream_complete(prompt, formatted, **kwargs)


@pytest.fixture
def home(tmp_path):
    notebook(tmp_path, CountingEmbedding()).add([file("owls.txt", "Owls hunt at night.")])
    return tmp_path


def trial(book):
    return Trial(SET, Side(open_snapshot(book), "this"))


def test_it_runs_beside_builds_one_at_a_time_and_keeps_its_rows_when_it_is_stopped(home):
    llm = Held()
    book = notebook(home, CountingEmbedding(), llm=llm)
    assert trials.current(book) is None
    job = trials.start(book, trial(book))
    assert llm._arrived.wait(CEILING)
    assert job.title == "Running the questions"
    assert trials.current(notebook(home)) is job
    assert jobs.current(book) is None
    with pytest.raises(Busy, match="Running the questions is still under way"):
        trials.start(book, trial(book))
    build = jobs.start(book, "add", incoming=[file("new.txt", "Something new.")])
    build.wait(CEILING)
    assert build.outcome.verdict.name == "UPDATED"
    trials.forget(book)
    assert trials.current(book) is job
    job.cancel()
    llm._go.set()
    job.wait(CEILING)
    assert not job.running
    assert job.error is job.outcome is None
    assert job.trial.stopped
    assert len(job.trial.rows) == 1
    trials.forget(book)
    assert trials.current(book) is None
    assert jobs.current(book) is build


def test_a_failure_is_a_sentence_and_the_rows_stay(home):
    model = CountingEmbedding()
    book = notebook(home, model)
    model.fail(11, ServerDown("The server is down."))
    job = trials.start(book, trial(book))
    job.wait(CEILING)
    assert str(job.error) == "The server is down."
    assert len(job.trial.rows) == 2

"""Background builds: one at a time, with progress and cancel."""

from __future__ import annotations

import logging
import threading

import pytest

from rag import jobs
from rag.errors import Busy, Cancelled, QuotaExceeded, RagbookError
from rag.manifest import VerdictName
from rag.progress import Event, Stage
from rag.storage.lease import lease
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, text_of
from tests.waiting import CEILING, until


class Held(CountingEmbedding):
    """Waits before each batch until the test lets it go on."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._arrived = threading.Event()
        self._go = threading.Event()

    def _get_text_embeddings(self, texts):
        self._arrived.set()
        assert self._go.wait(CEILING)
        return super()._get_text_embeddings(texts)


def ended(job):
    job.wait(CEILING)
    assert not job.running
    assert (job.outcome is None) != (job.error is None)
    assert job.finished >= job.started
    return job


def test_a_job_does_its_work_and_tells_of_it(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    assert jobs.current(book) is None
    job = ended(jobs.start(book, "add", incoming=[file("a.txt", text_of(3)), file("b.txt", "")]))
    assert job.title == "Adding files"
    assert job.outcome.verdict.name is VerdictName.BUILT
    assert job.progress.stage is Stage.PUBLISH
    assert job.latest.keys() == {"a.txt", "b.txt"}
    assert job.latest["b.txt"].failed
    assert jobs.current(book) is job
    assert jobs.current(notebook(tmp_path)) is job  # of the notebook, not of the object
    assert jobs.current(notebook(tmp_path, slug="other")) is None
    assert ended(jobs.start(book, "build")).outcome.verdict.name is VerdictName.UNCHANGED
    assert ended(jobs.start(book, "remove", names=["a.txt"])).outcome.sources.removed == 1


def test_one_at_a_time_per_notebook(tmp_path):
    model = Held()
    book, other = notebook(tmp_path, model), notebook(tmp_path, CountingEmbedding(), slug="other")
    job = jobs.start(book, "add", incoming=[file("a.txt", text_of(2))])
    assert model._arrived.wait(CEILING)
    with pytest.raises(Busy, match="Adding files is still under way"):
        jobs.start(notebook(tmp_path), "build")
    assert jobs.current(book) is job
    assert ended(jobs.start(other, "add", incoming=[file("b.txt", "Two.")])).outcome
    assert job.running
    assert book.status().verdict.name is VerdictName.BUSY
    model._go.set()
    assert ended(job).outcome.verdict.name is VerdictName.BUILT
    assert ended(jobs.start(book, "build")).outcome


def test_cancelling_stops_within_a_batch_and_keeps_what_was_paid(tmp_path):
    model = Held()
    book = notebook(tmp_path, model, batch_size=8)
    job = jobs.start(book, "add", incoming=[file("a.txt", text_of(60))])
    assert model._arrived.wait(CEILING)
    job.cancel()
    assert job.cancelling
    model._go.set()
    ended(job)
    assert isinstance(job.error, Cancelled)
    assert not job.cancelling
    assert model.texts <= 8  # the batch that was under way
    assert book.status().verdict.name in (VerdictName.RESUMABLE, VerdictName.NEW)
    assert ended(jobs.start(book, "build")).outcome.chunks.total == 60


def test_failures_are_sentences(tmp_path, caplog):
    model = CountingEmbedding(fail_at=1, error=QuotaExceeded("No quota. Wait."))
    book = notebook(tmp_path, model)
    job = ended(jobs.start(book, "add", incoming=[file("a.txt", "One.")]))
    assert str(job.error) == "No quota. Wait."
    model.fail(1, KeyError("a bug"))
    with caplog.at_level(logging.ERROR, logger="ragbook"):
        job = ended(jobs.start(book, "build"))
    assert type(job.error) is RagbookError
    assert "the log says what" in str(job.error)
    assert "a bug" in caplog.text
    job = ended(jobs.start(book, "remove", names=["nope"]))
    assert "no source 'nope'" in str(job.error)


def test_waiting_for_another_process_is_told(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    with lease(book.place.folder, wait_seconds=0):
        job = jobs.start(book, "add", incoming=[file("a.txt", "One.")])
        assert "waiting for it to finish" in until(lambda: job.waiting_for)
        assert job.running
    assert ended(job).outcome.verdict.name is VerdictName.BUILT
    assert job.waiting_for is None


def test_a_waiting_job_can_be_cancelled(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    with lease(book.place.folder, wait_seconds=0):
        job = jobs.start(book, "build")
        job.cancel()
        assert isinstance(ended(job).error, Cancelled)


def test_the_list_of_events_is_bounded():
    def work(on_event, **_):
        for number in range(5000):
            on_event(Event(Stage.READ, number, 5000, f"{number % 3000}.txt"))
        raise Cancelled("Stopped.")

    job = jobs.Job("build", work, {})
    job.start()
    ended(job)
    assert 1000 <= len(job.events) <= 2000
    assert job.progress.done == 4999
    assert len(job.latest) == 3000


def test_setting_back_ends_what_runs_and_forgets_it(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    with lease(book.place.folder, wait_seconds=0):
        job = jobs.start(book, "build")
        jobs.reset()
        assert not job.running
        assert isinstance(job.error, Cancelled)
        assert jobs.current(book) is None

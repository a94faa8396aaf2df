"""Background work: one build and one trial at a time per notebook in this process, in a thread, with cancel."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeVar

from rag.errors import Busy, RagbookError
from rag.notebook import Notebook
from rag.outcome import Outcome
from rag.progress import Event

Kind = Literal["add", "build", "remove", "trial"]
_TITLES = {
    "add": "Adding files",
    "build": "Building the index",
    "remove": "Removing files",
    "trial": "Running the questions",
}
_JOBS: dict[tuple[str, str, str], Job] = {}
_LOCK = threading.Lock()
_KEPT_EVENTS = 2000


class Job:
    """One piece of work. Attributes may be read by any thread at any time.

    `latest` maps each source's name to its last event; `progress` is the last event of all. When `running` turns
    false, either `outcome` or `error` is there. Jobs of one notebook in different lanes run at the same time.
    """

    lane: ClassVar[str] = "build"

    def __init__(self, kind: Kind, work: Callable[..., Outcome | None], arguments: dict[str, Any]) -> None:
        self.kind = kind
        self.title = _TITLES[kind]
        self.started = time.time()
        self.finished: float | None = None
        self.events: list[Event] = []
        self.latest: dict[str, Event] = {}
        self.waiting_for: str | None = None
        self.outcome: Outcome | None = None
        self.error: RagbookError | None = None
        self._cancel = threading.Event()
        self._work = work
        self._arguments = arguments
        self._thread = threading.Thread(target=self._run, name=f"ragbook-{kind}", daemon=True)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.finished is None

    @property
    def progress(self) -> Event | None:
        """The last event."""
        return self.events[-1] if self.events else None

    @property
    def cancelling(self) -> bool:
        """Whether it was told to stop and has not yet."""
        return self.running and self._cancel.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to stop: it does within one batch, and keeps what was paid for."""
        self._cancel.set()

    def wait(self, seconds: float | None = None) -> None:
        """Block until it has ended, or `seconds` have passed."""
        self._thread.join(seconds)

    def _hear(self, event: Event) -> None:
        self.waiting_for = None
        if len(self.events) >= _KEPT_EVENTS:
            del self.events[: _KEPT_EVENTS // 2]
        self.events.append(event)
        if event.source is not None:
            self.latest[event.source] = event

    def _wait_for(self, sentence: str) -> None:
        self.waiting_for = sentence

    def _run(self) -> None:
        try:
            self.outcome = self._work(
                **self._arguments, on_event=self._hear, on_wait=self._wait_for, cancelled=self._cancel.is_set
            )
        except RagbookError as error:
            self.error = error
        except Exception:  # the last boundary of this thread: whatever it is must reach the screen as a sentence
            logging.getLogger("ragbook").exception("a background %s failed", self.kind)
            self.error = RagbookError("Something unexpected went wrong; the log says what. Nothing saved was changed.")
        finally:
            self.finished = time.time()


def start(notebook: Notebook, kind: Kind, **arguments: Any) -> Job:
    """Start `notebook.add`, `.build` or `.remove` in the background.

    Raises:
        Busy: a job of this notebook is running in this process.
    """
    return begin(notebook, Job(kind, getattr(notebook, kind), arguments))


AnyJob = TypeVar("AnyJob", bound=Job)


def begin(notebook: Notebook, job: AnyJob) -> AnyJob:
    """Start a job of a notebook, in its lane. Raises Busy as `start`."""
    key = _key(notebook, job.lane)
    with _LOCK:
        running = _JOBS.get(key)
        if running is not None and running.running:
            raise Busy(f"{running.title} is still under way. Wait for it to finish, or cancel it.")
        _JOBS[key] = job
    job.start()
    return job


def current(notebook: Notebook, lane: str = Job.lane) -> Job | None:
    """The running job of a notebook, or the last one that ended; None before the first."""
    return _JOBS.get(_key(notebook, lane))


def forget(notebook: Notebook, lane: str = Job.lane) -> None:
    """Drop a job that has ended, so that it is not shown any more."""
    key = _key(notebook, lane)
    with _LOCK:
        job = _JOBS.get(key)
        if job is not None and not job.running:
            del _JOBS[key]


def reset() -> None:
    """As in a process that ran no job. What is running is told to stop, and waited for."""
    with _LOCK:
        jobs = list(_JOBS.values())
        _JOBS.clear()
    for job in jobs:
        if job.running:
            job.cancel()
            job.wait()


def _key(notebook: Notebook, lane: str) -> tuple[str, str, str]:
    return str(notebook.place.files.at()), notebook.slug, lane

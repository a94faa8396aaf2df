"""A trial in the background: one at a time per notebook in this process, beside its builds."""

from __future__ import annotations

from typing import Any

from rag import jobs
from rag.evaluation.trial import Trial
from rag.jobs import Job
from rag.notebook import Notebook


class TrialJob(Job):
    """A running or ended trial. It has no outcome: what it found is in `trial`, also when it failed."""

    lane = "trial"

    def __init__(self, trial: Trial) -> None:
        super().__init__("trial", self._ask, {})
        self.trial = trial

    def _ask(self, *, cancelled: Any, **_: Any) -> None:
        self.trial.run(cancelled=cancelled)


def start(notebook: Notebook, trial: Trial) -> TrialJob:
    """Run a trial in the background.

    Raises:
        Busy: one of this notebook is running in this process.
    """
    return jobs.begin(notebook, TrialJob(trial))


def current(notebook: Notebook) -> TrialJob | None:
    """The running trial of a notebook, or the last one that ended; None before the first."""
    job = jobs.current(notebook, TrialJob.lane)
    return job if isinstance(job, TrialJob) else None


def forget(notebook: Notebook) -> None:
    """Drop a trial that has ended."""
    jobs.forget(notebook, TrialJob.lane)

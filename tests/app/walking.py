"""What walking through the pages needs: two documents, waiting for a job, and reading the screen."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

import rag
from rag import jobs
from tests.waiting import CEILING

HANDBOOK = b"# Refunds\n\nUnits may be returned within 30 days of delivery. Opened kits are store credit only.\n"
OUTAGE = b"# Incidents\n\nThe gateway outage of August was caused by a retry loop without back-off.\n"


def finish_job(at: AppTest, notebook: rag.Notebook) -> None:
    """Wait for the notebook's job, then let the page show what it came to."""
    job = jobs.current(notebook)
    assert job is not None
    job.wait(CEILING)
    assert not job.running
    at.run()


def words(at: AppTest) -> str:
    """Everything HTML and Markdown on the page and in the sidebar, as one text."""
    found = [element.proto.body for element in at.get("html")]
    found += [element.value for element in at.markdown]
    return "\n".join(found)

"""Files from the browser: copied to disk at once, each content once, and let go of in the server's memory."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui import session

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from rag import Notebook
    from rag.jobs import Job

LIMIT_MB = 100
"""The same number as `server.maxUploadSize`: the server and the widget each check their own."""

log = logging.getLogger("ragbook.ui")


def add(notebook: Notebook, files: Sequence[UploadedFile], tags: tuple[str, ...] = ()) -> None:
    """Start a job that adds `files`, each with `tags`. The same bytes under one name count once; Streamlit's copies
    are let go of.

    The names come from the browser and stay display names only: on disk each file is called by its digest.
    """
    from rag import Incoming

    sweep()
    folder = tempfile.TemporaryDirectory(prefix="ragbook-")
    found: dict[tuple[str, str], Incoming] = {}
    try:
        for file in files:
            digest = hashlib.sha256(file.getbuffer()).hexdigest()
            path = Path(folder.name) / digest
            if not path.exists():
                path.write_bytes(file.getbuffer())
            found[file.name, digest] = Incoming(file.name, path=path, uploaded=True, tags=tags)
            _free(file)
        job = session.start_job(notebook, "add", incoming=list(found.values()))
    except BaseException:
        folder.cleanup()
        raise
    _folders()[folder.name] = (folder, job)


def sweep() -> None:
    """Remove the temporary folders of jobs that have ended."""
    for name, (folder, job) in list(_folders().items()):
        if not job.running and _folders().pop(name, None) is not None:
            folder.cleanup()


@st.cache_resource(show_spinner=False)
def _folders() -> dict[str, tuple[tempfile.TemporaryDirectory[str], Job]]:
    """Of the process, not of a session: a closed tab must not take away the files that a running job still reads."""
    return {}


def _free(file: UploadedFile) -> None:
    """Streamlit would keep the bytes in memory until the session ends; there is no public way to say otherwise."""
    try:
        from streamlit.runtime import get_instance
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        context = get_script_run_ctx()
        if context is not None:
            uploaded: Any = get_instance()._uploaded_file_mgr
            uploaded.remove_file(context.session_id, file.file_id)
    except Exception:
        log.debug("could not free an uploaded file", exc_info=True)

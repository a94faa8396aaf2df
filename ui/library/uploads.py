"""Files from the browser: kept in the home at once, each content once, and let go of in the server's memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rag.errors import SourceTooLarge
from ui import session

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from rag import Incoming, Notebook

LIMIT_MB = 100
"""The same number as `server.maxUploadSize`: the server and the widget each check their own."""

log = logging.getLogger("ragbook.ui")


def add(notebook: Notebook, files: Sequence[UploadedFile], tags: tuple[str, ...] = ()) -> None:
    """Start a job that adds `files`, each with `tags`. The same bytes under one name count once; Streamlit's copies
    are let go of.

    The names come from the browser and stay display names only: on disk each file is called by its digest.
    """
    found: dict[tuple[str, tuple[str, int] | None], Incoming] = {}
    refused: list[tuple[str, str]] = []
    for file in files:
        try:
            one = notebook.receive(file.name, file.getvalue(), tags)
            found[file.name, one.kept] = one
        except SourceTooLarge as error:
            refused.append((file.name, str(error)))
        _free(file)
    session.start_job(notebook, "add", incoming=list(found.values()), refused=refused)


def _free(file: UploadedFile) -> None:
    """Streamlit would keep the bytes in memory until the session ends; there is no public way to say otherwise."""
    try:
        from streamlit.runtime import get_instance
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        context = get_script_run_ctx()
        if context is not None:
            uploaded: Any = get_instance()._uploaded_file_mgr
            uploaded.remove_file(context.session_id, file.file_id)
    except (ImportError, AttributeError, TypeError, KeyError, RuntimeError):  # what a private part that moved can raise
        log.debug("could not free an uploaded file", exc_info=True)

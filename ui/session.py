"""What a page works with: settings, notebook, the opened index. Heavy imports happen only inside functions."""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import streamlit as st

import rag
from rag.errors import RagbookError
from rag.settings import check_slug
from rag.sources.names import free_slug

if TYPE_CHECKING:
    from rag import Notebook
    from rag.asking.opening import Opened
    from rag.jobs import Job

MAIN = "main"
log = logging.getLogger("ragbook.ui")


class _WarmUp:
    """How far the warm-up at server start is: not begun, under way, or done. Of the whole process."""

    def __init__(self) -> None:
        self.begun, self.done = threading.Event(), threading.Event()

    def reset(self) -> None:
        """As in a process that has no server."""
        self.begun.clear()
        self.done.clear()


WARM_UP = _WarmUp()


def current_slug() -> str:
    """The notebook of this session: the one in the address, else the last one used. Keeps the address in step."""
    asked = st.query_params.get("notebook")
    slug = asked or str(st.session_state.get("slug", MAIN))
    check_slug("The notebook's name", slug)
    st.session_state["slug"] = slug
    if slug != MAIN and asked != slug:
        st.query_params["notebook"] = slug
    return slug


def choose(slug: str) -> None:
    """Make another notebook the current one; the next rerun shows it."""
    st.session_state["slug"] = slug
    if slug == MAIN:
        st.query_params.pop("notebook", None)
    else:
        st.query_params["notebook"] = slug


def create(title: str) -> None:
    """Make a notebook of this title and choose it; one that has just this title already is chosen instead."""
    config = rag.load_config()
    taken = rag.list_notebooks(config)
    alike = [slug for slug in taken if rag.open_notebook(config, slug).title == title]
    choose(alike[0] if alike else free_slug(title, taken))
    if not alike:
        notebook().rename(title)


def notebook() -> Notebook:
    """The current notebook with its effective settings. Cheap; read anew on every rerun."""
    return rag.open_notebook(rag.load_config(), current_slug())


def zone() -> tzinfo | None:
    """The reader's time zone; None (this computer's) when the browser did not say."""
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else None
    except (KeyError, ValueError, OSError):
        return None


def job(of: Notebook) -> Job | None:
    """The notebook's running job, or the finished one that this session saw run and has not closed yet."""
    from rag import jobs

    seen: dict[str, Job] = st.session_state.setdefault("jobs", {})
    latest = jobs.current(of)
    if latest is not None and latest.running:
        seen[of.slug] = latest
    return seen.get(of.slug)


def start_job(of: Notebook, kind: str, **arguments: Any) -> Job:
    """Start a job and show it in this session until it is closed."""
    from rag import jobs

    started = jobs.start(of, cast(Any, kind), **arguments)
    st.session_state.setdefault("jobs", {})[of.slug] = started
    return started


def close_job(of: Notebook) -> None:
    """Show the finished job no longer."""
    st.session_state.get("jobs", {}).pop(of.slug, None)


@st.cache_resource(max_entries=4, show_spinner=False)
def _opened(  # every argument is part of the key but the last, whose name begins with an underscore
    home: str,
    workspace: str,
    slug: str,
    snapshot: int,
    settings: str,  # noqa: ARG001
    code: int,  # noqa: ARG001
    _of: Notebook,
) -> Opened:
    found = rag.open_snapshot(_of, snapshot, through_storage=True)
    settle()
    _loads()[home, workspace, slug, snapshot] = (found.opened_at, found.seconds)
    return found


@st.cache_resource(show_spinner=False)
def _loads() -> dict[tuple[str, str, str, int], tuple[float, float]]:
    return {}


def opened(of: Notebook, snapshot: int) -> Opened:
    """The index of one snapshot, shared by all sessions of the process: immutable, thread-safe, opened once.

    Everything that decides what is in it is in the key: where it lies, the snapshot, all settings, our code.
    """
    config = of.config
    settings = repr(replace(config, origins={}))  # a secret shows only that it is there
    return _opened(config.home, config.workspace, of.slug, snapshot, settings, _code(), of)


def load_of(of: Notebook, snapshot: int) -> tuple[float, float] | None:
    """When and in how many seconds this process opened the snapshot; None if it did not, or has let go of it."""
    return _loads().get((of.config.home, of.config.workspace, of.slug, snapshot))


def forget_opened() -> None:
    """Let go of all opened indexes: the next opening comes from disk."""
    _opened.clear()
    _loads().clear()


@cache
def _code() -> int:
    """Changes with any edit below `rag/`, so that an index opened by older code is not used by newer."""
    folder = Path(str(rag.__file__)).parent
    return max((path.stat().st_mtime_ns for path in folder.rglob("*.py")), default=0)


def is_warm() -> bool:
    """Whether opening an index would no longer wait for heavy imports."""
    # A module is in `sys.modules` from the moment its import begins: while warming up, only the event counts.
    return WARM_UP.done.is_set() or (not WARM_UP.begun.is_set() and "llama_index.core" in sys.modules)


def is_warming() -> bool:
    """Whether the warm-up at server start is still under way."""
    return WARM_UP.begun.is_set() and not WARM_UP.done.is_set()


def warm_up() -> None:
    """Import what is slow to import, and open the newest snapshot of the main notebook. Runs beside the server."""
    WARM_UP.begun.set()
    try:
        import rag.asking.answering
        import rag.llamaindex.index

        of = rag.open_notebook(rag.load_config(), MAIN)
        verdict = of.status().verdict
        if verdict.snapshot is not None:
            opened(of, verdict.snapshot)
    except RagbookError:  # anything else ends this thread with its traceback
        log.warning("Warming up at server start failed; pages will open the index when they need it.", exc_info=True)
    finally:
        settle()
        WARM_UP.done.set()


def settle() -> None:
    """Take what is there by now out of the garbage collector's rounds: Streamlit runs it after every script and every
    fragment, and looking at half a million objects of imported modules takes it 0.2 seconds with the GIL held."""
    gc.unfreeze()  # what was let go of since, such as an index that is no longer cached
    gc.collect()
    gc.freeze()


def lifespan() -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The server's start and end, for `st.App`: warms up in the background at start."""

    @asynccontextmanager
    async def run(_app: Any) -> Any:
        threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
        yield None

    return run

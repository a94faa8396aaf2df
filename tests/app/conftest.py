"""AppTest over the real engine in a home of its own. A click in a fragment reruns the page; `run_every` never fires."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import rag
from tests.app.walking import HANDBOOK, OUTAGE
from tests.waiting import CEILING

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RAGBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(ROOT)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def notebook() -> rag.Notebook:
    """The main notebook of this test's home."""
    return rag.open_notebook(rag.load_config())


@pytest.fixture
def built(notebook: rag.Notebook) -> rag.Notebook:
    """The main notebook with two documents, built."""
    notebook.add([rag.Incoming("handbook.md", content=HANDBOOK), rag.Incoming("outage.txt", content=OUTAGE)])
    return notebook


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Open a page as a browser would that comes through the Notebook page."""

    def opened(page: str = "", **query: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=CEILING)
        at.query_params.update(query)
        at.run()
        if page:
            at.switch_page(f"pages/{page}.py").run()
        return at

    return opened

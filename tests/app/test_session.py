"""What pages share: the opened index, llama-index's StorageContext under it, and a collector with little to look at."""

from __future__ import annotations

import subprocess
import sys

from llama_index.core import StorageContext

import rag
from rag.llamaindex.vector_store import LanceVectorStore
from tests.notebooks import ROOT
from tests.waiting import CEILING
from ui import session


def test_the_cached_loader_sits_on_a_storage_context(built: rag.Notebook) -> None:
    opened = session.opened(built, 1)
    assert session.opened(built, 1) is opened
    assert isinstance(opened.storage, StorageContext), "made when the snapshot was opened, not when it was asked for"
    assert opened.storage_context is opened.storage is opened.index.storage_context


def test_questions_go_through_its_vector_store(built: rag.Notebook) -> None:
    opened = session.opened(built, 1)
    store = opened.storage_context.vector_store
    assert isinstance(store, LanceVectorStore)
    assert store.client is not None
    assert opened.searcher.reader is opened.reader is store.client.reader()


def test_a_command_makes_none(built: rag.Notebook) -> None:
    opened = rag.open_snapshot(built)
    assert opened.search("outage").passages
    assert opened.storage is None
    assert "storage_context" not in vars(opened)


def test_after_the_warm_up_little_is_left_to_look_through(built: rag.Notebook) -> None:
    """Streamlit collects after every run of a script or a fragment."""
    code = """
import gc, sys
from ui import session
session.warm_up()
assert "llama_index.core" in sys.modules and session.is_warm()
tracked, frozen = len(gc.get_objects()), gc.get_freeze_count()
assert 50 * tracked < frozen, (tracked, frozen)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=CEILING, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_let_go_of_after_settling_is_collected_at_the_next() -> None:
    code = """
import weakref
from ui import session
class Index: ...
index = Index()
index.itself = index
gone = weakref.ref(index)
session.settle()
del index
session.settle()
assert gone() is None
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=CEILING, check=True)

"""Taking turns in a workspace."""

from __future__ import annotations

import pytest

from rag.errors import Busy, StoreUnavailable
from rag.storage.arrivals import by_turns
from tests.notebooks import python
from tests.waiting import CEILING


def test_one_after_the_other_and_nothing_is_left(tmp_path):
    second = by_turns(tmp_path, wait_seconds=0.05)
    with by_turns(tmp_path, wait_seconds=0), pytest.raises(Busy, match=r"Try again when that has finished\."):
        second.__enter__()
    with by_turns(tmp_path, wait_seconds=0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_turn_ends_with_its_process(tmp_path):
    child = python(
        """
        import os, sys
        from pathlib import Path
        from rag.storage.arrivals import by_turns
        with by_turns(Path(sys.argv[1]), wait_seconds=0):
            os._exit(9)
        """,
        tmp_path,
    )
    child.communicate(timeout=CEILING)
    assert child.returncode == 9
    assert [path.name for path in tmp_path.iterdir()] == [".arrivals.lock"]
    with by_turns(tmp_path, wait_seconds=0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_out_of_reach_is_a_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable), by_turns(tmp_path / "file", wait_seconds=0):
        pass

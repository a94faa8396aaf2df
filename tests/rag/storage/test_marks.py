from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

from rag.storage.marks import mark, read_now
from tests.doubles import CountingEmbedding
from tests.notebooks import file, notebook, opened, text_of
from tests.waiting import CEILING

HOLD = """
    import sys
    from pathlib import Path
    from rag.storage.marks import mark
    class Owner: pass
    owner = Owner()
    mark(Path(sys.argv[1]), 7, owner)
    print("held", flush=True)
    sys.stdin.read()
"""


class Owner:
    pass


def holder(folder):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_mark_lasts_as_long_as_its_owner(tmp_path):
    assert read_now(tmp_path / "none") == set()
    first, second = Owner(), Owner()
    mark(tmp_path, 3, first)
    mark(tmp_path, 3, second)
    mark(tmp_path, 12, second)
    assert read_now(tmp_path) == {3, 12}
    del first
    assert read_now(tmp_path) == {3, 12}
    del second
    assert read_now(tmp_path) == set()
    assert list((tmp_path / "lease" / "readers").iterdir()) == []


def test_an_open_snapshot_is_marked(tmp_path):
    book = notebook(tmp_path, CountingEmbedding())
    book.add([file("a.txt", text_of(1))])
    one, two = opened(book), opened(book)
    assert read_now(book.place.folder) == {1}
    del one, two
    assert read_now(book.place.folder) == set()


def test_another_process_holds_and_a_killed_one_lets_go(tmp_path):
    with holder(tmp_path) as ending, holder(tmp_path) as dying:
        assert read_now(tmp_path) == {7}
        os.kill(dying.pid, signal.SIGKILL)
        dying.wait(CEILING)
        assert read_now(tmp_path) == {7}
        assert len(list((tmp_path / "lease" / "readers").iterdir())) == 1  # that of the dead is cleared away
        ending.communicate("", timeout=CEILING)
        assert read_now(tmp_path) == set()


def test_files_that_are_no_marks_are_left_alone(tmp_path):
    folder = tmp_path / "lease" / "readers"
    folder.mkdir(parents=True)
    (folder / "note.lock").write_text("x")
    (folder / "00000003-x.txt").write_text("x")
    assert read_now(tmp_path) == set()
    assert len(list(folder.iterdir())) == 2

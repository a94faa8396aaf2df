"""The child process: limits, crashes, and what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import DamagedSource, ReadTimeout, SourceTooLarge, UnsupportedType
from rag.reading.isolation import Readers


def children() -> list[int]:
    """Processes of ours that exist, zombies included."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("A note.")
    return path


@pytest.fixture
def slow(tmp_path):
    """A page of unclosed comments, over which the parser broods for minutes."""
    path = tmp_path / "slow.html"
    path.write_bytes(b"<!--" * 400_000)
    return path


def test_one_child_reads_many_sources_and_is_gone_afterwards(note):
    before = set(children())
    with Readers() as readers:
        assert set(children()) == before
        readers.read("a.txt", note)
        (first,) = set(children()) - before
        readers.read("b.txt", note)
        assert set(children()) - before == {first}
    assert set(children()) == before


def test_time_limit_and_a_new_child(note, slow):
    before = set(children())
    # Enough for the parsers to be imported on a busy machine, where the note is read below.
    with Readers(seconds=5) as readers:
        with pytest.raises(ReadTimeout, match="5 seconds"):
            readers.read("slow.html", slow)
        assert set(children()) == before
        assert readers.read("a.txt", note).text == "A note."


def test_memory_limit_and_what_comes_after(note, tmp_path):
    big = tmp_path / "big.json"
    big.write_text(json.dumps([[0] * 10] * 200_000))
    with Readers(memory_bytes=64 << 20) as readers:
        with pytest.raises(SourceTooLarge, match="memory"):
            readers.read("big.json", big)
        assert readers.read("a.txt", note).text == "A note."


def test_a_child_killed_from_outside_is_replaced(note):
    before = set(children())
    with Readers() as readers:
        readers.read("a.txt", note)
        (child,) = set(children()) - before
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert readers.read("a.txt", note).text == "A note."


def test_size_limit_is_checked_before_reading(tmp_path):
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as file:
        file.truncate(300 << 20)
    with Readers() as readers, pytest.raises(SourceTooLarge, match="300 MB; the limit is 100 MB"):
        readers.read("huge.txt", huge)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with Readers() as readers:
        for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
            with pytest.raises(UnsupportedType):
                readers.read("a.txt", path)
        for path in (tmp_path / "missing", Path("nul\0byte")):
            with pytest.raises(DamagedSource, match="cannot be opened"):
                readers.read("a.txt", path)


def test_closed_readers_start_again(note):
    readers = Readers()
    readers.read("a.txt", note)
    readers.close()
    readers.close()
    assert readers.read("a.txt", note).text == "A note."
    readers.close()


def test_works_from_any_folder_and_keeps_secrets_from_the_child(note, tmp_path):
    """A parent elsewhere, with a key in its environment, looks at the environment of its child."""
    program = (
        "import sys, os, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from rag.reading.isolation import Readers\n"
        "with Readers() as readers:\n"
        "    print(readers.read('n.txt', pathlib.Path('note.txt')).text)\n"
        "    pid = pathlib.Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()[0]\n"
        "    print('hunter2' in pathlib.Path(f'/proc/{pid}/environ').read_text())\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program, str(root)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "OPENAI_API_KEY": "hunter2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("A note.\nFalse\n", "")


def test_importing_the_room_loads_no_parser():
    program = (
        "import sys, rag.reading\n"
        "print([m for m in ('pypdf', 'defusedxml', 'charset_normalizer', 'markdown_it') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"

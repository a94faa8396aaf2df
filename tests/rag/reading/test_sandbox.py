"""What code inside the reading child can do, as a parser that was taken over would: with what the system has, with less
of it, and with nothing. Every child is a real one, and what a machine lacks is refused by the system."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag.reading import sandbox
from rag.reading.isolation import Readers
from tests.notebooks import ROOT, python, said

LINUX = sys.platform == "linux"
NOTHING: list[str] = []
PRIVATE = [
    "read a file",
    "list a folder",
]

READ = """
import ctypes, json, sys
from pathlib import Path
from tests.rag.reading.machines import lack
if sys.argv[3:]:
    lack(*sys.argv[3:])
from rag.errors import ReadError
from rag.reading.isolation import Readers
from rag.reading.sandbox import available
hostile, folder = Path(sys.argv[1]), Path(sys.argv[2])
mine = ctypes.create_string_buffer(b"hunter4!")
given = json.loads((hostile / "given.json").read_text())
(hostile / "given.json").write_text(json.dumps(given | {"address": ctypes.addressof(mine)}))
with Readers() as readers:
    text = readers.read("a.txt", folder / "a.txt").text
    try:
        readers.read("a.pdf", folder / "a.pdf")
    except ReadError as error:
        told = str(error)
print(json.dumps({"text": text, "told": told, "levels": available().as_json()}))
"""


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def hostile(tmp_path: Path, listening: int) -> Path:
    """A folder with a package named `pypdf` that is none, and beside it what it is after."""
    folder, package = tmp_path / "theirs", tmp_path / "packages" / "pypdf"
    folder.mkdir()
    package.mkdir(parents=True)
    (folder / "secret").write_text("hunter2")
    (folder / "gone").write_text("hunter2")
    (folder / "a.txt").write_text("A note.")
    (folder / "a.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    shutil.copy(Path(__file__).parent / "hostile_parser.py", package / "__init__.py")
    given = {"secret": str(folder / "secret"), "folder": str(folder), "port": listening, "harmful": False}
    (package / "given.json").write_text(json.dumps({**given, "address": 0}))
    return package


def attacked(hostile: Path, *missing: str, harmful: bool = False) -> tuple[dict[str, str], list[str]]:
    """The levels that are claimed, and what the hostile parser could do, on a machine that lacks what is named."""
    given = json.loads((hostile / "given.json").read_text())
    (hostile / "given.json").write_text(json.dumps(given | {"harmful": harmful}))
    folder = Path(given["folder"])
    child = python(
        READ,
        hostile,
        folder,
        *missing,
        PYTHONPATH=os.pathsep.join([str(hostile.parent), str(ROOT)]),
        OPENAI_API_KEY="hunter3",
    )
    found: dict[str, Any] = said(child)
    assert found["text"] == "A note.", "documents are read all the same"
    told = json.loads(found["told"])
    assert told["allowed"], "what parsers need"
    return found["levels"], told["made"]


def untouched(hostile: Path) -> bool:
    folder = hostile.parent.parent / "theirs"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name in ("secret", "gone")} == {
        "secret": b"hunter2",
        "gone": b"hunter2",
    }


def test_code_inside_the_child_reaches_nothing(hostile: Path) -> None:
    levels, made = attacked(hostile, harmful=sandbox.available().processes != "none")
    if levels["files"] in ("landlock", "bubblewrap") and "seccomp" in levels["processes"]:
        assert made == NOTHING
        assert untouched(hostile)
    else:
        assert "none" in levels.values() or levels["files"] == "seccomp, against writing", "nothing more is claimed"


def test_without_landlock_bubblewrap_takes_its_place(hostile: Path) -> None:
    if not LINUX:
        assert sandbox.available() == sandbox.Levels(), "only Linux has what could be lacking here"
        return
    levels, made = attacked(hostile, "landlock")
    if levels["files"] != "bubblewrap":
        assert levels["files"] in ("seccomp, against writing", "none"), "what is not installed is not claimed"
        return
    assert (levels["network"], levels["processes"]) == ("bubblewrap", "bubblewrap+seccomp")
    assert made == NOTHING
    assert untouched(hostile)


def test_bubblewrap_alone_keeps_files_network_and_the_parent(hostile: Path) -> None:
    if not LINUX:
        assert sandbox.available() == sandbox.Levels(), "only Linux has what could be lacking here"
        return
    levels, made = attacked(hostile, "landlock", "seccomp")
    if levels["files"] != "bubblewrap":
        assert levels["files"] == "none", "what is not installed is not claimed"
        return
    assert (levels["network"], levels["processes"]) == ("bubblewrap", "bubblewrap")
    # In namespaces of its own it may speak to itself, start copies of itself and limit bubblewrap, its parent there.
    ours = {"listen", "send a datagram", "speak to a local socket", "share memory", "queue calls", "fork"}
    assert set(made) <= ours | {"limit the parent"}
    assert untouched(hostile)


def test_with_seccomp_alone_files_can_be_read_and_says_so(hostile: Path) -> None:
    if not LINUX:
        assert sandbox.available() == sandbox.Levels(), "only Linux has what could be lacking here"
        return
    levels, made = attacked(hostile, "landlock", "bubblewrap")
    if levels["processes"] != "seccomp":
        assert levels["network"] == levels["processes"] == "none"
        return
    assert levels["files"] == "seccomp, against writing"
    assert made == PRIVATE
    assert untouched(hostile)


def test_with_nothing_limits_hold_alone_and_says_so(hostile: Path) -> None:
    if not LINUX:
        assert sandbox.available() == sandbox.Levels(), "only Linux has what could be lacking here"
        return
    levels, made = attacked(hostile, "landlock", "bubblewrap", "seccomp")
    assert levels == {"files": "none", "network": "none", "processes": "none", "memory": "address space"}
    assert {"read a file", "connect", "start a program", "fork"} <= set(made), "the other tests show something"
    assert not {"read the parent's environment", "read the parent's memory"} & set(made), "where the keys are"


def test_without_any_of_it_all_of_this_can_be_done(hostile: Path) -> None:
    """A parser in this program's own process, as it were: else the tests above would show nothing."""
    script = """
try:
    import pypdf
except Exception as error:
    print(error)
"""
    child = python(
        script,
        PYTHONPATH=os.pathsep.join([str(hostile.parent), str(ROOT)]),
    )
    told = said(child)
    assert told["allowed"]
    assert {"read a file", "write a file", "delete a file", "connect", "start a program", "fork"} <= set(told["made"])


def test_the_child_that_reads_says_so_itself(tmp_path: Path) -> None:
    """In its status: no new privileges, a filter of system calls, and of root's powers at most that of reading."""
    if sandbox.available().processes != "seccomp":
        assert "seccomp" not in sandbox.available().network
        return
    (tmp_path / "a.txt").write_text("A note.")
    with Readers() as readers:
        assert readers.read("a.txt", tmp_path / "a.txt").text == "A note."
        (child,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()[-1:]
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(status["CapEff"], 16) | int(status["CapPrm"], 16) in (0, 1 << 2)


def test_a_home_below_the_checkout_cannot_be_read() -> None:
    """The package's folder is readable, the folder around it is not: `./data` is the home as it comes."""
    assert ROOT.resolve() not in [path.resolve() for path in sandbox.readable()]
    assert (ROOT / "rag").resolve() in [path.resolve() for path in sandbox.readable()]


def test_levels_are_told_by_status(tmp_path: Path) -> None:
    """And for that nothing is loaded that reads or searches."""
    done = subprocess.run(
        [sys.executable, "-m", "rag", "status", "--json"],
        cwd=ROOT,
        env={**os.environ, "RAGBOOK_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)["reading_sandbox"]
    assert told == sandbox.available().as_json()
    assert list(told) == ["files", "network", "processes", "memory"]
    assert all(isinstance(value, str) and value for value in told.values())

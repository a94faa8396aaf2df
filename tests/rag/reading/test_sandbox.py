"""What code inside the reading child can do: nothing. Each attempt is made by a real process that was shut away."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.reading import sandbox
from rag.reading.isolation import Readers
from rag.reading.syscalls import ARCHITECTURES
from tests.notebooks import ROOT

ATTEMPTS = """
import json, os, socket, subprocess, sys, threading, signal
from pathlib import Path
secret, port, parent, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
def forked():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
def threaded():
    done = []
    thread = threading.Thread(target=lambda: done.append(1))
    thread.start(); thread.join()
    assert done
def connected():
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
def bound():
    socket.socket().bind(("127.0.0.1", 0))
def posted():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", port))
ATTEMPTS = {
    "read a file": lambda: Path(secret).read_text(),
    "list a folder": lambda: os.listdir(folder),
    "read the parent's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
    "read the parent's memory": lambda: open(f"/proc/{parent}/mem", "rb"),
    "read its own environment again": lambda: Path("/proc/self/environ").read_bytes(),
    "write a file": lambda: (folder / "new").write_text("x"),
    "delete a file": lambda: Path(secret).unlink(),
    "truncate a file": lambda: os.truncate(secret, 0),
    "rename a file": lambda: Path(secret).rename(folder / "other"),
    "make a folder": lambda: (folder / "sub").mkdir(),
    "make a link": lambda: (folder / "link").symlink_to("/"),
    "connect": connected,
    "listen": bound,
    "send a datagram": posted,
    "start a program": lambda: subprocess.run(["/bin/true"], check=True),
    "fork": forked,
    "become a program": lambda: os.execv("/bin/true", ["/bin/true"]),
    "end the parent": lambda: os.kill(parent, signal.SIGTERM),
}
ALLOWED = {
    "import a module of the standard library": lambda: __import__("xml.dom.minidom"),
    "import a package": lambda: __import__("pypdf"),
    "start a thread": threaded,
    "random bytes": lambda: os.urandom(8),
}
from rag.reading.sandbox import shut
if sys.argv[5] == "shut":
    shut()
said = {}
for name, attempt in {**ALLOWED, **ATTEMPTS}.items():
    if sys.argv[5] != "shut" and name in ("become a program", "end the parent", "delete a file", "rename a file"):
        continue
    try:
        attempt()
    except (OSError, subprocess.SubprocessError) as error:
        said[name] = type(error).__name__
    else:
        said[name] = "done"
print(json.dumps({"allowed": list(ALLOWED), "said": said}))
"""


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def attempted(tmp_path: Path, port: int, how: str, command: list[str] | None = None) -> dict[str, dict[str, str]]:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    program = tmp_path / "attempts.py"
    program.write_text(ATTEMPTS)
    arguments = [str(secret), str(port), str(os.getpid()), str(tmp_path), how]
    source = program.read_text()
    done = subprocess.run(
        [*(command or [sys.executable]), "-c", source, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert secret.read_text() == "hunter2"
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_without_it_all_of_this_can_be_done(tmp_path: Path, listening: int) -> None:
    """Else the test below would show nothing. What would do harm here is left out."""
    secret = tmp_path / "s.txt"
    secret.write_text("x")
    program = ATTEMPTS.replace('"truncate a file": lambda: os.truncate(secret, 0),', "")
    done = subprocess.run(
        [sys.executable, "-c", program, str(secret), str(listening), str(os.getpid()), str(tmp_path), "free"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["said"]
    assert "connect" in said
    assert {name for name, outcome in said.items() if outcome != "done"} <= {"read the parent's memory"}


def test_code_inside_the_child_reaches_nothing(tmp_path: Path, listening: int) -> None:
    levels = sandbox.available()
    if sys.platform != "linux" or "landlock" not in levels.files:
        assert levels.files in ("none", "bubblewrap", "seccomp, against writing"), "what is not there is not claimed"
        return
    found = attempted(tmp_path, listening, "shut")
    assert {name: found["said"][name] for name in found["allowed"]} == dict.fromkeys(found["allowed"], "done")
    done = [name for name, said in found["said"].items() if said == "done" and name not in found["allowed"]]
    assert done == []


def test_bubblewrap_takes_its_place_where_there_is_no_landlock(tmp_path: Path, listening: int) -> None:
    command = sandbox.bubblewrapped([sys.executable])
    if not command:
        assert not sandbox.wrapped([sys.executable]), "what is not installed is not used"
        return
    found = attempted(tmp_path, listening, "shut", command)
    assert {found["said"][name] for name in found["allowed"]} == {"done"}
    assert [name for name, said in found["said"].items() if said == "done" and name not in found["allowed"]] == []


def test_the_child_that_reads_is_one_of_these(tmp_path: Path) -> None:
    """Its own status says so: no new privileges, and a filter of system calls."""
    (tmp_path / "a.txt").write_text("A note.")
    with Readers() as readers:
        assert readers.read("a.txt", tmp_path / "a.txt").text == "A note."
        (child,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()[-1:]
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines() if ":\t" in line
        )
    if sandbox.available().processes == "seccomp":
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_a_home_below_the_checkout_cannot_be_read() -> None:
    """The package's folder is readable, the folder around it is not: `./data` is the home as it comes."""
    assert ROOT.resolve() not in [path.resolve() for path in sandbox.readable()]
    assert (ROOT / "rag").resolve() in [path.resolve() for path in sandbox.readable()]


def test_levels_are_told_in_words() -> None:
    told = sandbox.available().as_json()
    assert list(told) == ["files", "network", "processes", "memory"]
    assert all(isinstance(value, str) and value for value in told.values())


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_numbers_are_no_number_twice(name: str) -> None:
    machine = ARCHITECTURES[name]
    assert len(set(machine.numbers.values())) == len(machine.numbers)
    assert machine.numbers["clone"] not in machine.denied
    assert {"execve", "socket", "ptrace", "process_vm_readv"} <= set(machine.numbers)

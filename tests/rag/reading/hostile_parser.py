"""What code inside the reading child tries, in the place of `pypdf`: says of each attempt whether it could be made."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

from rag.errors import DamagedSource

GIVEN = json.loads((Path(__file__).parent / "given.json").read_text())
SECRET, FOLDER, PARENT, PORT = Path(GIVEN["secret"]), Path(GIVEN["folder"]), os.getppid(), GIVEN["port"]
LIBC = ctypes.CDLL(None, use_errno=True)


def call(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def forked() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def threaded() -> None:
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(1))
    thread.start()
    thread.join()
    assert done


def posted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", PORT))


def environment_of_the_parent() -> None:
    if b"hunter3" not in Path(f"/proc/{PARENT}/environ").read_bytes():
        raise PermissionError


def memory_of_the_parent() -> None:
    room = ctypes.create_string_buffer(8)
    ours = (ctypes.c_size_t * 2)(ctypes.addressof(room), 8)
    theirs = (ctypes.c_size_t * 2)(GIVEN["address"], 8)
    call(LIBC.process_vm_readv(PARENT, ours, 1, theirs, 1, 0))


ALLOWED = {
    "import a module of the standard library": lambda: __import__("xml.dom.minidom"),
    "import a package": lambda: __import__("defusedxml.ElementTree", fromlist=["fromstring"]),
    "load a codec": lambda: b"\x81\x40".decode("shift_jis"),
    "start a thread": threaded,
    "random bytes": lambda: os.urandom(8),
}
ATTEMPTS = {
    "read a file": lambda: SECRET.read_text(),
    "list a folder": lambda: os.listdir(FOLDER),
    "read the parent's environment": environment_of_the_parent,
    "read the parent's memory": memory_of_the_parent,
    "limit the parent": lambda: call(LIBC.prlimit(PARENT, 4, (ctypes.c_ulong * 2)(0, 0), None)),
    "write a file": lambda: (FOLDER / "new").write_text("x"),
    "add to a file": lambda: SECRET.open("a").close(),
    "delete a file": lambda: (FOLDER / "gone").unlink(),
    "empty a file": lambda: (FOLDER / "gone").open("wb").close(),
    "truncate a file": lambda: os.truncate(FOLDER / "gone", 0),
    "rename a file": lambda: (FOLDER / "gone").rename(FOLDER / "other"),
    "make a folder": lambda: (FOLDER / "sub").mkdir(),
    "make a link": lambda: (FOLDER / "link").symlink_to("/"),
    "change who may read": lambda: os.chmod(SECRET, 0o666),
    "change a date": lambda: os.utime(SECRET, (0, 0)),
    "connect": lambda: socket.create_connection(("127.0.0.1", PORT), timeout=30).close(),
    "listen": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "send a datagram": posted,
    "speak to a local socket": lambda: socket.socketpair(),
    "share memory": lambda: call(LIBC.shmget(0, 4096, 0o1600)),
    "queue calls": lambda: call(LIBC.syscall(425, 4, ctypes.create_string_buffer(120))),
    "start a program": lambda: subprocess.run(["/bin/true"], check=True),
    "fork": forked,
}
HARMFUL = {
    "end the parent": lambda: os.kill(PARENT, signal.SIGTERM),
    "end a thread of the parent": lambda: call(LIBC.tgkill(PARENT, PARENT, signal.SIGTERM)),
    "become a program": lambda: os.execv("/bin/true", ["/bin/true"]),
}


def made(attempts: dict[str, object]) -> list[str]:
    """Those of the attempts that came off."""
    done = []
    for name, attempt in attempts.items():
        try:
            attempt()  # type: ignore[operator]
        except (OSError, subprocess.SubprocessError, AttributeError):
            continue
        done.append(name)
    return done


raise DamagedSource(
    json.dumps(
        {
            "allowed": made(ALLOWED) == list(ALLOWED),
            "made": made(ATTEMPTS | (HARMFUL if GIVEN["harmful"] else {})),
        }
    )
)

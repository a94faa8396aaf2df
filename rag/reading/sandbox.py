"""Shuts the reading child away before it looks at a document: no other file, no network, no new process.

A parser of unknown files may be made to run code. What that code could reach is taken away by what the system has, best
first: Landlock (files, TCP, signals) and seccomp (system calls), both from within and for good; else bubblewrap, where
it is installed (files, network, processes), around the child. `available` says what holds on this machine, and
`docs/operations.md` what that means. Where there is nothing of it, the limits of `rag.reading.limits` hold alone.

Sources: landlock(7) and seccomp(2) of the Linux manual; linux/landlock.h, linux/seccomp.h, linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rag.reading.syscalls import ARCHITECTURES, Architecture

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_FILTER = 2
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""By version of Landlock's interface, how many rights to files it knows."""
_CAPABILITIES, _READ_SEARCH = 0x20080522, 1 << 2


@dataclass(frozen=True)
class Levels:
    """What keeps the reading child from other files, from the network and from other processes, and what limits its
    memory: the name of the means, or `none`."""

    files: str = "none"
    network: str = "none"
    processes: str = "none"
    memory: str = "none"

    def as_json(self) -> dict[str, str]:
        """Name by name."""
        return asdict(self)


@functools.cache
def available() -> Levels:
    """What holds on this machine. Cheap: asks the system; only where it has no Landlock is bubblewrap tried out."""
    if sys.platform == "win32":
        return Levels()
    memory = "address space" if sys.platform == "linux" else "none"
    abi, filters = _landlock_version(), _architecture() is not None
    if abi and filters:
        return Levels("landlock", "landlock+seccomp" if abi >= 4 else "seccomp", "seccomp", memory)
    if wrapped([]):
        return Levels("bubblewrap", "bubblewrap", "bubblewrap+seccomp" if filters else "bubblewrap", memory)
    if filters:
        return Levels("seccomp, against writing", "seccomp", "seccomp", memory)
    return Levels("landlock" if abi else "none", "landlock" if abi >= 4 else "none", "none", memory)


def readable() -> list[Path]:
    """What a Python process may read to load its own modules: the interpreter, its packages, shared libraries."""
    ours = Path(__file__).resolve().parents[1]  # the package, and not the folder of the checkout: a home may be there
    found = [ours, Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)]
    found += [Path(entry) for entry in sys.path if entry and Path(entry).resolve() != ours.parent]
    found += map(Path, ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo"))
    found += map(Path, ("/etc/ld.so.cache", "/etc/ld.so.preload", "/dev/null", "/dev/urandom"))
    return [path for path in dict.fromkeys(found) if path.exists()]


def wrapped(command: Sequence[str]) -> list[str]:
    """`command` inside bubblewrap; empty where that is not needed, not there, or not allowed to make namespaces."""
    if sys.platform != "linux" or (_landlock_version() and _architecture() is not None):
        return []
    return bubblewrapped(command)


def bubblewrapped(command: Sequence[str]) -> list[str]:
    """`command` in namespaces of its own that hold nothing but what Python needs; empty where bubblewrap cannot."""
    program = shutil.which("bwrap")
    if program is None or not _wraps(program):
        return []
    # Devices bound from outside cannot be opened there; `--dev` makes the few that there are.
    paths = [path for path in readable() if path.parent != Path("/dev")]
    binds = [part for path in paths for seen in (path, path.resolve()) for part in ("--ro-bind", str(path), str(seen))]
    return [program, *_NAMESPACES, *binds, "--", *command]


_NAMESPACES = ("--unshare-all", "--die-with-parent", "--new-session", "--dev", "/dev", "--proc", "/proc")
"""Its own view of processes too: the limit of memory is set by what it says of the child's size."""


@functools.cache
def _wraps(program: str) -> bool:
    """Whether it may make namespaces here: in many containers it may not."""
    tried = [program, "--ro-bind", "/", "/", *_NAMESPACES, "true"]
    try:
        done = subprocess.run(tried, capture_output=True, check=False, timeout=30)  # noqa: S603 - the system's own
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def shut() -> None:
    """Shut this process away, as far as the system can, for good. Call it when everything it starts with is loaded and
    before any byte of a document is looked at.

    Raises:
        OSError: the system has the means and refused it; no document must be read then.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    abi, architecture = _landlock_version(), _architecture()
    _drop_capabilities(libc)
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if abi:
        _restrict_files(libc, abi)
    if architecture is not None:
        # Last: what it forbids is not needed any more.
        _filter_calls(libc, architecture)


def hide_from_children() -> None:
    """Keep other processes of this user from reading this one's memory and environment, where nothing keeps the child
    from looking: on systems without rules for files. Costs core dumps and debuggers."""
    if sys.platform == "linux" and not available().files.startswith(("landlock", "bubblewrap")):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _landlock_version() -> int:
    """The version of Landlock's interface; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_LANDLOCK_CREATE, None, 0, 1)))


def _architecture() -> Architecture | None:
    """The system calls of this machine, where filters can be set and its numbers are known."""
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return None
    # No filter is set without one: a system that sets filters says that the address is bad, others that it cannot.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _FILTER, None, 0, 0) == 0 or ctypes.get_errno() != errno.EFAULT:
        return None
    return ARCHITECTURES.get(platform.machine())


def _restrict_files(libc: ctypes.CDLL, abi: int) -> None:
    rights = (1 << _FILE_RIGHTS.get(abi, 16)) - 1
    network = 0b11 if abi >= 4 else 0  # bind and connect, TCP
    scoped = 0b11 if abi >= 6 else 0  # abstract sockets, and signals to processes outside
    attributes = struct.pack("<QQQ", rights, network, scoped)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    rules = _checked(libc.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0), "landlock_create_ruleset")
    try:
        for path in readable():
            allowed = _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE
            beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = struct.pack("<Qi", allowed, beneath)
                _checked(libc.syscall(_LANDLOCK_ADD, rules, 1, rule, 0), "landlock_add_rule")
            finally:
                os.close(beneath)
        _checked(libc.syscall(_LANDLOCK_RESTRICT, rules, 0), "landlock_restrict_self")
    finally:
        os.close(rules)


def _filter_calls(libc: ctypes.CDLL, machine: Architecture) -> None:
    """Refuse, by number, the system calls that a parser has no use for."""
    program = machine.filter(os.getpid())
    code = b"".join(struct.pack("<HBBI", *one) for one in program)
    kept = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(kept))
    _checked(libc.prctl(_PR_SET_SECCOMP, _FILTER, filters, 0, 0), "seccomp")


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Where the server runs as root: keep of its powers only that of reading its own modules, whoever owns them."""
    header, held = struct.pack("<Ii", _CAPABILITIES, 0), ctypes.create_string_buffer(24)
    _checked(libc.capget(header, held), "capget")
    effective, permitted = struct.unpack_from("<II", held)
    kept = struct.pack("<6I", effective & _READ_SEARCH, permitted & _READ_SEARCH, 0, 0, 0, 0)
    _checked(libc.capset(header, kept), "capset")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result

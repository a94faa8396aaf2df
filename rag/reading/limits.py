"""Limits the reading child puts on itself before it looks at a document, as far as the system has them."""

from __future__ import annotations

import functools
import os
import signal
import sys


def limit_memory(extra_bytes: int) -> None:
    """Let this process grow by `extra_bytes` of address space and write no file. Without effect on Windows."""
    if sys.platform == "win32":
        return
    import resource

    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A reader has no reason to write: archives that name files outside themselves get nowhere.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if (base := address_space()) is not None:
        resource.setrlimit(resource.RLIMIT_AS, (base + extra_bytes, base + extra_bytes))


def address_space() -> int | None:
    """Bytes of address space this process has mapped; None where the system does not say (only Linux does)."""
    descriptor = _statm()
    if descriptor is None:
        return None
    return int(os.pread(descriptor, 64, 0).split()[0]) * os.sysconf("SC_PAGE_SIZE")


@functools.cache
def _statm() -> int | None:
    """Where the system tells it, open for good: a process that is shut away cannot open it any more."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def limit_time(seconds: float) -> None:
    """Let the system end this process after `seconds`, even if its parent has died meanwhile; 0 lifts the limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)

"""Machines that lack something: this process is told by the system itself that it is not there.

Called first in a process of its own; nothing of the program is replaced.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_LANDLOCK, _PRCTL = (444, 445, 446), {"x86_64": 157, "aarch64": 167}


def lack(*missing: str) -> None:
    """Take `landlock`, `seccomp` or `bubblewrap` away from this process and those it starts."""
    if "bubblewrap" in missing:
        os.environ["PATH"] = "/nonexistent"
    refused = 0x00050000
    program = [(0x20, 0, 0, 0)]
    if "landlock" in missing:
        for number in _LANDLOCK:
            program += [(0x15, 0, 1, number), (0x06, 0, 0, refused | errno.ENOSYS)]
    if "seccomp" in missing:  # prctl(PR_SET_SECCOMP), as from a kernel that was built without it
        program += [(0x15, 0, 3, _PRCTL[os.uname().machine]), (0x20, 0, 0, 16), (0x15, 0, 1, 22)]
        program += [(0x06, 0, 0, refused | errno.EINVAL)]
    program += [(0x06, 0, 0, 0x7FFF0000)]
    code = b"".join(struct.pack("<HBBI", *one) for one in program)
    kept = ctypes.create_string_buffer(code, len(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    filters = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(kept))
    assert libc.prctl(22, 2, filters, 0, 0) == 0, os.strerror(ctypes.get_errno())

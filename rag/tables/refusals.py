"""What the operating system refused, out of what Lance says of it."""

from __future__ import annotations

import errno
import os
import re

_MISPLACED = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def refusal(error: BaseException) -> OSError | None:
    """The `OSError` that is or lies behind an error of Lance, which has the system's number in its text; None where it
    is of another kind, or about a missing or misplaced file: a refusal says nothing about what is on the disk, and
    those do."""
    if isinstance(error, OSError) and error.errno is not None:
        return None if error.errno in _MISPLACED else error
    found = re.search(r"os error (\d+)", str(error))
    if found is None or int(found[1]) in _MISPLACED:
        return None
    number = int(found[1]) or errno.EIO
    return OSError(number, os.strerror(number))

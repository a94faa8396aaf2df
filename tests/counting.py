"""What a test costs the disk, as the system counts it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Bytes that this process, with children it waited for, read (`rchar`) and wrote (`wchar`) by system calls."""
    found: dict[str, int] = {}
    before = dict(re.findall(r"(\w+): (\d+)", Path("/proc/self/io").read_text()))
    yield found
    after = dict(re.findall(r"(\w+): (\d+)", Path("/proc/self/io").read_text()))
    found.update({name: int(after[name]) - int(before[name]) for name in after})

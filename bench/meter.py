"""What one stage of one process cost: CPU seconds of all its threads and finished children, memory, bytes written."""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Costs = dict[str, float]
"""`cpu` in seconds; `resident` MB when the stage began, and `grown` MB, its peak above that; `written` bytes handed to
the system, pipes included; `imported`: modules loaded while it ran."""


def cpu() -> float:
    """CPU seconds so far: this process with all threads, and its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak() -> float:
    """Most memory ever resident in this process, in MB; since the last stage began, if there was one."""
    return _megabytes("VmHWM")


class Meter:
    """Collects the costs of named stages."""

    def __init__(self) -> None:
        self.stages: dict[str, Costs] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block."""
        gc.collect()
        modules = len(sys.modules)
        _forget_peak()
        resident = _megabytes("VmRSS")
        written = _written()
        started = cpu()
        yield
        spent = cpu() - started
        self.stages[name] = {
            "cpu": spent,
            "resident": resident,
            "grown": max(0.0, _megabytes("VmHWM") - resident),
            "written": _written() - written,
            "imported": len(sys.modules) - modules,
        }

    def join(self, name: str, *parts: str) -> None:
        """One more stage: those parts, one after the other."""
        stages = [self.stages[part] for part in parts]
        resident = stages[0]["resident"]
        whole = {field: sum(stage[field] for stage in stages) for field in ("cpu", "written", "imported")}
        top = max(stage["resident"] + stage["grown"] for stage in stages)
        self.stages[name] = {**whole, "resident": resident, "grown": top - resident}

    def imported(self) -> None:
        """Close the stage `imports`: everything since the interpreter started."""
        self.stages["imports"] = {
            "cpu": cpu(),
            "resident": 0.0,
            "grown": peak(),
            "written": 0,
            "imported": len(sys.modules),
        }


def sizes(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Every file below `folder` with its size in bytes, its time of change and its inode."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            status = (Path(parent) / name).stat()
            found[Path(parent) / name] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def new_bytes(before: dict[Path, tuple[int, int, int]], after: dict[Path, tuple[int, int, int]]) -> int:
    """Bytes of the files that are new or changed; a changed one counts in full."""
    return sum(status[0] for path, status in after.items() if before.get(path) != status)


def _megabytes(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {field}: memory can be measured on Linux only")


def _written() -> int:
    # Counts finished children too.
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")

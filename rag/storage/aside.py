"""Damaged files out of the way, under another name: nothing is deleted."""

from __future__ import annotations

from pathlib import Path


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder to `<name>.damaged` (`.damaged-2` …): nothing is deleted. Raises OSError."""
    for attempt in range(1, 10_000):
        target = path.with_name(f"{path.name}.damaged" + (f"-{attempt}" if attempt > 1 else ""))
        if not target.exists():
            path.rename(target)
            return target
    raise FileExistsError(f"{path.name} was set aside too often")

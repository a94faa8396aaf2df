"""Paths that somebody named, to files to add: what is skipped is reported, never followed blindly."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from rag.sources.incoming import Incoming
from rag.sources.names import safe_name

Skipped = tuple[str, str]
"""Name, and why it is not added."""


def collect(paths: Sequence[Path]) -> tuple[list[Incoming], list[Skipped]]:
    """Files and folders (with all below them) as files to add.

    A file is named by its file name, a file of a folder by its path below that folder. Hidden files and folders are
    left out. Links that leave the folder, pipes, sockets and devices are skipped and reported, and so is what is
    missing or cannot be read.
    """
    found: list[Incoming] = []
    skipped: list[Skipped] = []
    for path in paths:
        if _is_folder(path):
            files, problems = _walk(path)
            found += files
            skipped += problems
            continue
        reason = _unfit(path)
        if reason:
            skipped.append((safe_name(path.name or str(path)), reason))
        else:
            found.append(Incoming(path.name, path))
    return found, skipped


def _walk(folder: Path) -> tuple[list[Incoming], list[Skipped]]:
    found: list[Incoming] = []
    skipped: list[Skipped] = []
    root = folder.resolve()

    def unreadable(error: OSError) -> None:
        skipped.append((safe_name(Path(error.filename).name), f"The folder cannot be read: {error.strerror}."))

    for place, below, names in os.walk(folder, onerror=unreadable):
        below[:] = sorted(name for name in below if not name.startswith("."))
        links = [Path(place) / name for name in below if (Path(place) / name).is_symlink()]
        skipped += [
            (safe_name(_below(folder, link)), "A link to a folder is not followed. Add that folder.") for link in links
        ]
        for name in sorted(names):
            if name.startswith("."):
                continue
            path = Path(place) / name
            shown = _below(folder, path)
            reason = _unfit(path)
            if not reason and path.is_symlink() and not path.resolve().is_relative_to(root):
                reason = "The link leads out of the folder, so it is not followed. Add the file itself."
            if reason:
                skipped.append((safe_name(shown), reason))
            else:
                found.append(Incoming(shown, path))
    return found, skipped


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # no permission on the way, or a name too long: `_unfit` says which
        return False


def _unfit(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "The link leads nowhere." if path.is_symlink() else "There is no such file. Check the path."
    except (OSError, ValueError) as error:
        return f"It cannot be opened: {getattr(error, 'strerror', None) or error}."
    if not stat.S_ISREG(mode):
        return "It is not a file but a pipe, socket or device, so it is skipped."
    try:
        path.open("rb").close()
    except PermissionError:
        return "There is no permission to read it."
    except OSError as error:
        return f"It cannot be opened: {error.strerror}."
    return ""


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()

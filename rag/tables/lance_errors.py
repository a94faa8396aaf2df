"""What Lance raises while a table is read or written, told as errors of Ragbook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import Conflict, Damaged, DiskFull, NotWritable, RagbookError, StoreError
from rag.tables.lance_files import files_of, latest_version


@contextmanager
def reading(path: Path, version: int | None) -> Iterator[None]:
    """Turns what Lance raises while reading into `Damaged`, naming the file where the manifest tells which it is."""
    with _translated(path, version, Damaged, "cannot be read"):
        yield


@contextmanager
def writing(path: Path, version: int | None = None) -> Iterator[None]:
    """Turns what Lance raises while writing into `DiskFull`, `NotWritable`, `Conflict`, `Damaged` or `StoreError`."""
    with _translated(path, version, StoreError, "could not be written"):
        yield


@contextmanager
def _translated(path: Path, version: int | None, otherwise: type[StoreError], failed: str) -> Iterator[None]:
    try:
        yield
    except RagbookError:
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic inside Lance is no Exception
        raise _failure(path, version, error, otherwise, failed) from error


def _failure(
    path: Path, version: int | None, error: BaseException, otherwise: type[StoreError], failed: str
) -> StoreError:
    text = str(error)
    lowered = text.lower()
    if any(sign in lowered for sign in ("no space left", "quota exceeded", "file too large")):
        return DiskFull(f"The disk is full: {path} could not be written. Free some space and try again.")
    if any(sign in lowered for sign in ("permission denied", "read-only file system", "operation not permitted")):
        return NotWritable(f"No permission for {path}. Check who owns the folder and whether it is read-only.")
    if any(sign in lowered for sign in ("commit conflict", "too many concurrent writers", "incompatible transaction")):
        return Conflict(f"Another writer kept changing {path.name}. Try again.")
    try:
        newest = latest_version(path)
        for one in (version, newest):
            if one is not None:
                files_of(path, one)
    except StoreError as found:
        return found
    # Without the place in Lance's own source where it failed.
    first = re.sub(r", /\S+\.rs:\d+.*", "", text.splitlines()[0] if text else type(error).__name__).rstrip(".")
    return otherwise(f"{path.name} {failed}: {first[:300]}.")

"""What Lance raises while a table is read or written, told as errors of Ragbook: the border to Lance.

Lance's errors are of any kind, a panic inside it is not even an `Exception`, and most say what happened in their text
alone. Here, and nowhere else, that text is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import Conflict, Damaged, DiskFull, NotWritable, RagbookError, StoreError
from rag.storage.failures import translate
from rag.tables.lance_files import files_of, latest_version
from rag.tables.refusals import refusal

_FULL = ("no space left", "quota exceeded", "file too large")
_FORBIDDEN = ("permission denied", "read-only file system", "operation not permitted")
_OTHERS = ("commit conflict", "too many concurrent writers", "incompatible transaction")


@contextmanager
def reading(path: Path, version: int | None, name: str = "") -> Iterator[None]:
    """Turns what Lance raises while reading into `Damaged`, naming the file where the manifest tells which it is; what
    the system refused into `NotWritable` or `StoreUnavailable`. `name` is what the table is called, `path.name` unless
    given."""
    with _translated(path, version, name, Damaged, "cannot be read"):
        yield


@contextmanager
def writing(path: Path, version: int | None = None, name: str = "") -> Iterator[None]:
    """Turns what Lance raises while writing into `DiskFull`, `NotWritable`, `StoreUnavailable`, `Conflict`, `Damaged`
    or `StoreError`. `name` as in `reading`."""
    with _translated(path, version, name, StoreError, "cannot be written"):
        yield


@contextmanager
def _translated(path: Path, version: int | None, name: str, otherwise: type[StoreError], failed: str) -> Iterator[None]:
    try:
        yield
    except RagbookError:
        raise
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic inside Lance is no Exception
        raise _failure(path, version, name or path.name, error, otherwise, failed) from error


def _failure(
    path: Path, version: int | None, name: str, error: BaseException, otherwise: type[StoreError], failed: str
) -> StoreError:
    refused = refusal(error)
    if refused is not None:
        return translate(refused, name)
    text = str(error)
    lowered = text.lower()
    if any(sign in lowered for sign in _FULL):
        return DiskFull(f"No space left while writing {name}. Free some space and try again; what was saved is safe.")
    if any(sign in lowered for sign in _FORBIDDEN):
        return NotWritable(f"No permission for {name}. Check the owner and mode of the home folder.")
    if any(sign in lowered for sign in _OTHERS):
        return Conflict(f"Another process changed {name} at the same moment. Try again.")
    try:
        newest = latest_version(path)
        for one in (version, newest):
            if one is not None:
                files_of(path, one)
    except StoreError as found:
        return found
    return otherwise(f"{name} {failed}: {_first_line(error)}.")


def _first_line(error: BaseException) -> str:
    """What failed, without the place in Lance's own source where it did."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return re.sub(r", /\S+\.rs:\d+.*", "", line)[:300].rstrip(".")

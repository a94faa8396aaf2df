"""Reading in a child process with limits, so that no document can take the notebook down with it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from rag import errors
from rag.errors import DamagedSource, ReadError, ReadTimeout, SourceTooLarge, UnsupportedType
from rag.reading import wire
from rag.reading.kinds import HEAD_BYTES, media_type
from rag.reading.places import Heading, Page, Reading
from rag.reading.sandbox import hide_from_children, wrapped

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
# What a Python process needs to start. Everything else stays here: parsers of unknown files get no API keys.
_PASSED_ON = (
    "PATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT",
    "RAGBOOK_READER_STDERR",
)  # fmt: skip
_START_SECONDS = 60


class Readers:
    """Reads sources one after another in a child that is reused, and replaced when it dies. Not thread-safe.

    `seconds` of wall time and `memory_bytes` of address space are per source; `max_bytes` is the size of a source.
    Where the system has no memory limit (only Linux has one that works), time and size still hold.
    """

    def __init__(self, seconds: float = 60, memory_bytes: int = 1 << 30, max_bytes: int = 100 << 20) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._max_bytes = max_bytes
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child and wait for it. The next `read` would start another."""
        if self._child is not None:
            self._child.kill()
            self._reap()

    def read(self, name: str, path: Path) -> Reading:
        """The text of the file at `path`, which the user calls `name`.

        Raises ReadError: UnsupportedType, EmptySource, NoTextLayer, EncryptedSource, DamagedSource, SourceTooLarge
        or ReadTimeout. A missing file is a DamagedSource.
        """
        kind = self._media_type(name, path)
        message = {
            "media_type": kind,
            # Later than our own clock: it is there for the case that we die first.
            "seconds": self._seconds + 5,
        }
        if self._child is not None and self._child.poll() is not None:
            self._reap()  # something from outside ended it since the last source
        if self._child is None:
            self._start()
        try:
            with path.open("rb") as document:
                size = os.fstat(document.fileno()).st_size
                if size > self._max_bytes:
                    raise SourceTooLarge("This file grew while it was being read. Add it again when it is complete.")
                reply = self._exchange({**message, "bytes": size}, self._seconds, document)
        except OSError as error:
            self.close()  # a document that was handed over in part is in the way of the next
            raise DamagedSource(f"This file cannot be read from disk: {error.strerror or error}.") from error
        if reply.get("last"):
            self._reap()
        if "error" in reply:
            raise _error(reply)
        return _reading(reply["reading"])

    def _media_type(self, name: str, path: Path) -> str:
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise UnsupportedType("This is no ordinary file but a folder, device or pipe, which is not read.")
            if found.st_size > self._max_bytes:
                raise SourceTooLarge(
                    f"This file has {_megabytes(found.st_size)}; the limit is {_megabytes(self._max_bytes)}. "
                    "Split it, then add the parts."
                )
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
        except OSError as error:
            raise DamagedSource(f"This file cannot be opened: {error.strerror or error}.") from error
        except ValueError as error:  # a NUL in the path
            raise DamagedSource("This file cannot be opened: its path is not a path.") from error
        return media_type(name, head, found.st_size)

    def _start(self) -> None:
        environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
        paths = [str(_PACKAGE_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}
        hide_from_children()
        command = [sys.executable, "-m", "rag.reading.child"]
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter
            wrapped(command) or command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=_PACKAGE_ROOT,
        )
        try:
            self._exchange({"memory_bytes": self._memory_bytes}, _START_SECONDS)
        except ReadError as error:
            raise ReadError("The process that reads documents did not start. Try again.") from error

    def _exchange(self, message: dict[str, Any], seconds: float, document: IO[bytes] | None = None) -> dict[str, Any]:
        """Send a message, and the document it is about, and wait for the reply; kills the child at the time limit."""
        child = self._child
        assert child is not None
        assert child.stdin is not None
        assert child.stdout is not None
        late = threading.Event()

        def kill() -> None:
            late.set()
            child.kill()

        # A timer and blocking reads: the same on every system, and nothing to wait for in small steps.
        clock = threading.Timer(seconds, kill)
        clock.daemon = True
        clock.start()
        try:
            wire.send(child.stdin, message)
            if document is not None:
                wire.send_bytes(child.stdin, document, message["bytes"])
            return wire.receive(child.stdout)
        except wire.Broken as error:
            code = self._reap()
            if late.is_set():
                raise ReadTimeout(
                    f"Reading this file took more than {seconds:g} seconds. Split it or simplify it, then add it again."
                ) from error
            raise DamagedSource(
                f"The reader broke down on this file (exit code {code}). It may be damaged, or need too much memory."
            ) from error
        except BaseException:
            self.close()  # interrupted: a reply on its way would be taken for the answer to the next request
            raise
        finally:
            clock.cancel()
            if late.is_set() and self._child is not None:
                self._reap()  # the limit passed just as the reply came in

    def _reap(self) -> int:
        """Wait for the child, which is dead or about to be; its exit code."""
        child = self._child
        assert child is not None
        self._child = None
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # what was still in the buffer has no reader any more
        try:
            return child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()


def _error(reply: dict[str, Any]) -> ReadError:
    kind = getattr(errors, str(reply["error"]), ReadError)
    known = isinstance(kind, type) and issubclass(kind, ReadError)
    return kind(str(reply["sentence"])) if known else ReadError(str(reply["sentence"]))


def _reading(fields: dict[str, Any]) -> Reading:
    return Reading(
        text=fields["text"],
        media_type=fields["media_type"],
        pages=tuple(Page(**page) for page in fields["pages"]),
        headings=tuple(Heading(**heading) for heading in fields["headings"]),
        notes=tuple(fields["notes"]),
    )


def _megabytes(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MB" if count >= 1 << 20 else f"{count:,} bytes"

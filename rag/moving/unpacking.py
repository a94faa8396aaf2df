"""Reading an archive that anybody may have made: nothing is written before its list of members is right.

Refused: names Ragbook does not write, links, doubles, encrypted or oddly compressed members, members that lie over
each other, more members or bytes than the limits, a size or SHA-256 that is not the listed one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import Damaged, NotFound, SourceTooLarge
from rag.moving.contents import CONTENTS, Contents, known_name, original_name, parse_contents
from rag.storage.failures import translated

MAX_MEMBERS = 250_000
MAX_BYTES = 64 << 30
"""Most bytes an archive may unpack to; what the disk has free counts too."""

_MAX_LIST = 64 << 20  # bytes of the list of contents
_MAX_DIRECTORY = 64 << 20  # bytes of the zip's own directory, which zipfile holds in memory
_MAX_RATIO = 200  # what a member may expand to, for archives somebody packed again
_FREE = 1 << 20
_BLOCK = 1 << 20
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")

# All that zipfile is known to raise on bytes that are no archive.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    IndexError,
)


class Archive:
    """An archive whose list of members holds together. Use `open_archive`."""

    def __init__(self, file: Path, opened: zipfile.ZipFile) -> None:
        self._file = file
        self._zip = opened
        entries = _checked_entries(file, opened)
        if CONTENTS not in entries:
            raise Damaged(f"{file.name} is not an archive of Ragbook: it has no {CONTENTS}.")
        if entries[CONTENTS].file_size > _MAX_LIST:
            raise Damaged(f"{file.name} is refused: its {CONTENTS} is too long.")
        with _reading(file, CONTENTS), opened.open(CONTENTS) as member:
            self.contents: Contents = parse_contents(member.read(_MAX_LIST + 1))
        self._listed = {member.name: member for member in self.contents.members}
        self._compare(entries)

    @property
    def size(self) -> int:
        """Bytes of all members, unpacked."""
        return sum(member.size for member in self.contents.members)

    def names(self, prefix: str = "") -> list[str]:
        """Names of the members that begin with `prefix`, sorted; the list of contents is not among them."""
        return sorted(member.name for member in self.contents.members if member.name.startswith(prefix))

    def unpack(self, name: str, target: Path) -> None:
        """Write one member to `target`, durably. Its folder must exist, it must not.

        Raises:
            Damaged: its bytes are not the listed ones; `target` may be there in part.
        """
        listed = self._listed[name]
        digest, count = hashlib.sha256(), 0
        with translated(name), target.open("xb") as writing:
            with _reading(self._file, name), self._zip.open(name) as member:
                while block := member.read(_BLOCK):
                    count += len(block)
                    if count > listed.size:
                        break
                    digest.update(block)
                    writing.write(block)
            writing.flush()
            os.fsync(writing.fileno())
        if count != listed.size or digest.hexdigest() != listed.sha256:
            raise Damaged(f"{self._file.name} is damaged: {name} is not what its list of contents says (SHA-256).")

    def _compare(self, entries: dict[str, zipfile.ZipInfo]) -> None:
        listed = self._listed
        for name in sorted(listed.keys() | entries.keys()):
            if name == CONTENTS:
                continue
            if name not in entries:
                raise Damaged(f"{self._file.name} is damaged: {name[:120]} is missing.")
            if name not in listed:
                raise Damaged(f"{self._file.name} is refused: {name[:120]} is not in its list of contents.")
            if entries[name].file_size != listed[name].size:
                raise Damaged(f"{self._file.name} is damaged: {name} has another size than its list of contents says.")
            if name.startswith("originals/") and name != original_name(listed[name].sha256):
                raise Damaged(f"{self._file.name} is damaged: {name} is not what its name says (SHA-256).")


@contextmanager
def open_archive(file: Path) -> Iterator[Archive]:
    """Open an archive and check its list of members; no member but that list is read.

    Raises:
        NotFound: no such file.
        Damaged: not a zip, not an archive of Ragbook, or not safe to unpack. NewerFormat: a newer Ragbook wrote it.
        SourceTooLarge: more members or bytes than the limits.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {file}. Check the path.")
    with translated(str(file)):
        _check_directory(file)
        with _reading(file, "its directory"):
            opened = zipfile.ZipFile(file)
    with opened:
        yield Archive(file, opened)


def _check_directory(file: Path) -> None:
    """Refuse a zip whose directory would not fit in memory, before zipfile reads it."""
    size = file.stat().st_size
    with file.open("rb") as reading:
        reading.seek(max(0, size - (1 << 16) - _END.size))
        tail = reading.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < _END.size:
            raise _no_zip(file)
        _, _, _, _, count, length, _, _ = _END.unpack_from(tail, at)
        if at >= _LOCATOR.size and tail[at - _LOCATOR.size :][:4] == b"PK\6\7":
            _, _, position, _ = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
            if position + _END64.size > size:
                raise _no_zip(file)
            reading.seek(position)
            *_, count, length, _ = _END64.unpack(reading.read(_END64.size))
    if count > MAX_MEMBERS or length > _MAX_DIRECTORY:
        raise SourceTooLarge(f"{file.name} is refused: it has {count:,} members, and the limit is {MAX_MEMBERS:,}.")


def _checked_entries(file: Path, opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    total = packed = 0
    for entry in opened.infolist():
        name = entry.filename
        shown = f"{entry.orig_filename[:120]!r}"
        if name != entry.orig_filename or _leads_out(name):
            raise Damaged(f"{file.name} is refused: it holds the unsafe name {shown}.")
        if not known_name(name):
            raise Damaged(f"{file.name} is not an archive of Ragbook: it holds {shown}, which Ragbook never writes.")
        if name in entries:
            raise Damaged(f"{file.name} is refused: it holds {shown} twice.")
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise Damaged(f"{file.name} is refused: {shown} is a link or device, not a file.")
        if entry.flag_bits & 1:
            raise Damaged(f"{file.name} is refused: {shown} is encrypted.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Damaged(f"{file.name} is refused: {shown} is compressed in a way Ragbook does not read.")
        if entry.file_size > _MAX_RATIO * entry.compress_size + _FREE:
            raise SourceTooLarge(f"{file.name} is refused: {shown} would expand more than {_MAX_RATIO} times.")
        entries[name] = entry
        total += entry.file_size
        packed += entry.compress_size
    if len(entries) > MAX_MEMBERS or total > MAX_BYTES:
        raise SourceTooLarge(
            f"{file.name} is refused: it would unpack to {len(entries):,} files of {total / (1 << 30):,.1f} GB."
        )
    if packed > file.stat().st_size:
        raise Damaged(f"{file.name} is refused: its members lie over each other.")
    return entries


def _leads_out(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return not name or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\\" in name


@contextmanager
def _reading(file: Path, name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise Damaged(f"{file.name} is damaged: {name} cannot be read.") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # what seeking before the beginning of a file comes to
            raise
        raise Damaged(f"{file.name} is damaged: {name} is not where it should be.") from error


def _no_zip(file: Path) -> Damaged:
    return Damaged(f"{file.name} is not a zip file, or only a part of one. Get the archive again.")

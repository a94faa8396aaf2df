"""Which files one version of a Lance table needs, with their sizes; standard library only.

lancedb cannot say it, so the version's own manifest is read: `_versions/<2**64 - 1 - version>.manifest`, a protobuf
message with a 16-byte footer (position of the message, format numbers, `LANC`). Only the fields below are looked at;
numbers are those of Lance's `table.proto`. Everything read is checked: a torn or foreign manifest is `Damaged`.
"""

from __future__ import annotations

import errno
import os
import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rag.errors import Damaged, DiskFull, NotWritable, StoreError

_LAST = 2**64 - 1
_FOOTER = struct.Struct("<QHH4s")
_LENGTH = struct.Struct("<I")
_LONGEST = 64 * 2**20  # a manifest is a few kilobytes; anything longer is not one and is not read into memory
# Deletion files (1), the deprecated mark of the v2 format (4), table config (8), no transaction files (32).
# Any other feature means files that this module would not list.
_KNOWN_FEATURES = 1 | 4 | 8 | 32

_FRAGMENTS, _VERSION, _INDEX_SECTION, _READER_FEATURES = 2, 3, 6, 9
_FRAGMENT_ID, _FRAGMENT_FILES, _FRAGMENT_DELETIONS, _FRAGMENT_ROWS = 1, 2, 3, 4
_FILE_PATH, _FILE_SIZE, _BASE = 1, 6, 7
_DELETION_TYPE, _DELETION_READ_VERSION, _DELETION_ID, _DELETION_ROWS = 1, 2, 3, 4
_INDEX_UUID, _INDEX_BASE, _INDEX_FILES = 1, 9, 10


@dataclass(frozen=True, order=True)
class TableFile:
    """One file of a table: its path relative to the table's folder, with `/`, and its size in bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class TableShape:
    """How one version is laid out: fragments (each a data file), live rows, deleted rows still in the files."""

    fragments: int
    rows: int
    deleted: int


class _Torn(Exception):
    """The bytes are no manifest; the text says which check failed. Becomes `Damaged` where the file's name is known."""


def files_of(folder: Path, version: int) -> tuple[TableFile, ...]:
    """All files that reading `version` of the table in `folder` (`<name>.lance`) needs, sorted by path.

    Includes the version's manifest; leaves out transaction files, which only writers look at. Sizes are those on disk,
    checked against the sizes Lance noted where it noted them. Contents are not read, except the manifest's.

    Raises:
        Damaged: a file is missing, of another size, or unreadable; names the file and the check.
    """
    manifest = _manifest_path(folder, version)
    message = _message(folder, manifest, version)
    name = manifest.relative_to(folder).as_posix()
    try:
        needed = dict(_needed(folder, message))
    except _Torn as torn:
        raise _damaged(folder, name, str(torn)) from torn
    needed[name] = 0
    return tuple(sorted(TableFile(path, _size(folder, path, noted)) for path, noted in needed.items()))


def shape_of(folder: Path, version: int) -> TableShape:
    """Fragments and rows of `version`, from its manifest alone: no data file is opened.

    Raises:
        Damaged: the manifest is missing or unreadable.
    """
    manifest = _manifest_path(folder, version)
    message = _message(folder, manifest, version)
    fragments = written = deleted = 0
    try:
        for fragment in message.fields.all(_FRAGMENTS):
            parts = _Fields(fragment)
            fragments += 1
            written += parts.number(_FRAGMENT_ROWS)
            deleted += sum(_Fields(part).number(_DELETION_ROWS) for part in parts.all(_FRAGMENT_DELETIONS))
    except _Torn as torn:
        raise _damaged(folder, manifest.relative_to(folder).as_posix(), str(torn)) from torn
    return TableShape(fragments, written - deleted, deleted)


def latest_version(folder: Path) -> int | None:
    """The newest version that has a manifest in `folder`, readable or not; None where there is no table."""
    versions = _versions(folder)
    return max(versions) if versions else None


def set_aside_torn(folder: Path, above: int) -> tuple[str, ...]:
    """Rename unreadable manifests of versions newer than `above` to `<name>.torn`; returns the old names.

    A power cut can leave a torn manifest of a version nobody published, because Lance does not fsync; lancedb then
    refuses to open even older, pinned versions. Lance links manifests into place whole, so an unreadable one is never
    one that is being written, and readers may do this too.
    """
    renamed = []
    for version, name in sorted(_versions(folder).items()):
        if version <= above:
            continue
        manifest = folder / "_versions" / name
        try:
            _message(folder, _manifest_path(folder, version), version)
        except Damaged:
            manifest.rename(manifest.with_name(manifest.name + ".torn"))
            renamed.append(manifest.name)
    return tuple(renamed)


def sync(folder: Path, files: Iterable[TableFile]) -> None:
    """Make `files` durable: fsync each, then every folder from theirs up to the one that holds `folder`.

    Lance fsyncs nothing on a local disk. Files come before folders: a name must not outlive its bytes.

    Raises:
        Damaged: a file is gone. DiskFull, NotWritable: as the system says.
    """
    folders = {folder.parent, folder}
    for file in files:
        path = folder / file.path
        _fsync(path, folder)
        above = path.parent
        while above != folder:
            folders.add(above)
            above = above.parent
    if os.name != "nt":  # Windows has no way to open a folder for fsync
        for held in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            _fsync(held, folder)


def os_failure(error: OSError, path: str) -> StoreError:
    """The store error that `error`, met at `path`, comes to."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk is full: {path} could not be written. Free some space and try again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NotWritable(f"No permission for {path}. Check who owns the folder and whether it is read-only.")
    if error.errno == errno.ENOENT:
        return Damaged(f"{path} is missing.")
    return Damaged(f"{path} cannot be read: {error.strerror or error}.")


def _fsync(path: Path, folder: Path) -> None:
    try:
        # Windows flushes only what was opened for writing.
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        shown = f"{folder.name}/{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else str(path)
        raise os_failure(error, shown) from error


def _versions(folder: Path) -> dict[int, str]:
    try:
        names = [path.name for path in (folder / "_versions").iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise os_failure(error, f"{folder.name}/_versions") from error
    found = {}
    for name in names:
        stem, dot, ending = name.partition(".")
        if dot and ending == "manifest" and stem.isascii() and stem.isdigit() and len(stem) <= 20:
            number = int(stem)
            # Version 2 names count down from 2**64 - 1, so that the newest sorts first; old ones are plain.
            found[_LAST - number if number > _LAST // 2 else number] = name
    return found


def _manifest_path(folder: Path, version: int) -> Path:
    for name in (f"{_LAST - version:020d}.manifest", f"{version}.manifest"):
        path = folder / "_versions" / name
        if path.is_file():
            return path
    raise Damaged(f"{folder.name}/_versions/{_LAST - version:020d}.manifest is missing (version {version}).")


@dataclass(frozen=True)
class _Message:
    fields: _Fields
    raw: bytes  # the whole file: the index section is found by its position in it


def _message(folder: Path, manifest: Path, version: int) -> _Message:
    name = manifest.relative_to(folder).as_posix()
    try:
        if manifest.stat().st_size > _LONGEST:
            raise _damaged(folder, name, "too long for a manifest")
        raw = manifest.read_bytes()
    except OSError as error:
        raise os_failure(error, f"{folder.name}/{name}") from error
    try:
        if len(raw) < _FOOTER.size:
            raise _Torn("truncated")
        position, _major, _minor, magic = _FOOTER.unpack_from(raw, len(raw) - _FOOTER.size)
        if magic != b"LANC":
            raise _Torn("truncated, or not a Lance manifest")
        fields = _Fields(_section(raw, position))
        if fields.number(_VERSION) != version:
            raise _Torn(f"says version {fields.number(_VERSION)} where {version} was expected")
        unknown = fields.number(_READER_FEATURES) & ~_KNOWN_FEATURES
        if unknown:
            raise _Torn(f"uses Lance features ({unknown}) that Ragbook never writes")
    except _Torn as torn:
        raise _damaged(folder, name, str(torn)) from torn
    return _Message(fields, raw)


def _needed(folder: Path, message: _Message) -> Iterator[tuple[str, int]]:
    """Path and noted size (0: not noted) of every file except the manifest."""
    for raw in message.fields.all(_FRAGMENTS):
        fragment = _Fields(raw)
        for part in fragment.all(_FRAGMENT_FILES):
            file = _Fields(part)
            if file.has(_BASE):
                raise _Torn("refers to files outside of its folder")
            yield f"data/{_plain(file.text(_FILE_PATH))}", file.number(_FILE_SIZE)
        for part in fragment.all(_FRAGMENT_DELETIONS):
            deletion = _Fields(part)
            if deletion.has(_BASE):
                raise _Torn("refers to files outside of its folder")
            ending = "bin" if deletion.number(_DELETION_TYPE) == 1 else "arrow"
            read_version, number = deletion.number(_DELETION_READ_VERSION), deletion.number(_DELETION_ID)
            yield f"_deletions/{fragment.number(_FRAGMENT_ID)}-{read_version}-{number}.{ending}", 0
    if message.fields.has(_INDEX_SECTION):
        section = _Fields(_section(message.raw, message.fields.number(_INDEX_SECTION)))
        for raw in section.all(1):
            yield from _index_files(folder, _Fields(raw))


def _index_files(folder: Path, index: _Fields) -> Iterator[tuple[str, int]]:
    if index.has(_INDEX_BASE):
        raise _Torn("refers to files outside of its folder")
    identity = b"".join(_Fields(part).raw(1) for part in index.all(_INDEX_UUID))
    if len(identity) != 16:
        raise _Torn("an index has no identity")
    inside = f"_indices/{uuid.UUID(bytes=identity)}"
    listed = [_Fields(part) for part in index.all(_INDEX_FILES)]
    if listed:
        for file in listed:
            yield f"{inside}/{_plain(file.text(1))}", file.number(2)
        return
    # Written by a Lance that did not list index files: all that is there belongs to it.
    found = [path for path in (folder / inside).rglob("*") if path.is_file()]
    if not found:
        raise _Torn(f"needs {inside}, which is missing")
    for path in found:
        yield path.relative_to(folder).as_posix(), 0


def _plain(path: str) -> str:
    """`path`, refused unless it is a plain relative path: a manifest must not be able to point out of its folder."""
    pure = PurePosixPath(path)
    if not path or "\0" in path or "\\" in path or pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        raise _Torn(f"names the odd path {path[:80]!r}")
    return path


def _size(folder: Path, path: str, noted: int) -> int:
    try:
        size = (folder / path).stat().st_size
    except OSError as error:
        raise os_failure(error, f"{folder.name}/{path}") from error
    if noted and size != noted:
        raise _damaged(folder, path, f"has {size} bytes where {noted} were written")
    if not size:
        raise _damaged(folder, path, "empty")
    return size


def _damaged(folder: Path, path: str, check: str) -> Damaged:
    return Damaged(f"{folder.name}/{path} is damaged: {check}.")


def _section(raw: bytes, position: int) -> bytes:
    """The message at `position`, which starts with its own length."""
    end = len(raw) - _FOOTER.size
    if position + _LENGTH.size > end:
        raise _Torn("points behind its own end")
    (length,) = _LENGTH.unpack_from(raw, position)
    start = position + _LENGTH.size
    if start + length > end:
        raise _Torn("is shorter than it says")
    return raw[start : start + length]


class _Fields:
    """The fields of one protobuf message: number → values, in order. Nested messages stay bytes."""

    def __init__(self, raw: bytes) -> None:
        self._values: dict[int, list[int | bytes]] = {}
        at = 0
        while at < len(raw):
            key, at = _varint(raw, at)
            kind = key & 7
            value: int | bytes
            if kind == 0:
                value, at = _varint(raw, at)
            else:
                if kind == 2:
                    length, at = _varint(raw, at)
                elif kind in (1, 5):
                    length = 8 if kind == 1 else 4
                else:
                    raise _Torn("is no protobuf message")
                if length > len(raw) - at:
                    raise _Torn("is shorter than it says")
                value, at = raw[at : at + length], at + length
            self._values.setdefault(key >> 3, []).append(value)

    def has(self, number: int) -> bool:
        return number in self._values

    def number(self, number: int) -> int:
        """The last number of that field, 0 where there is none (protobuf leaves zeros out)."""
        value = self._values.get(number, [0])[-1]
        if not isinstance(value, int):
            raise _Torn(f"field {number} is no number")
        return value

    def all(self, number: int) -> list[bytes]:
        values = self._values.get(number, [])
        found = [value for value in values if isinstance(value, bytes)]
        if len(found) != len(values):
            raise _Torn(f"field {number} is no message")
        return found

    def raw(self, number: int) -> bytes:
        return b"".join(self.all(number)[-1:])

    def text(self, number: int) -> str:
        try:
            return self.raw(number).decode()
        except UnicodeDecodeError as error:
            raise _Torn(f"field {number} is no text") from error


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            raise _Torn("is shorter than it says")
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & _LAST, at
    raise _Torn("is no protobuf message")

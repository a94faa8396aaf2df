"""What the manifest of one version of a Lance table says; standard library only, and no file is touched.

It is a protobuf message with a 16-byte footer (position of the message, format numbers, `LANC`). Only the fields below
are looked at; numbers are those of Lance's `table.proto`. Everything read is checked: bytes that are no manifest, or
name files elsewhere, are `Torn`.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

_WHOLE = 2**64 - 1
_FOOTER = struct.Struct("<QHH4s")
_LENGTH = struct.Struct("<I")
# Deletion files (1), the deprecated mark of the v2 format (4), table config (8), no transaction files (32).
# Any other feature means files that this module would not list.
_KNOWN_FEATURES = 1 | 4 | 8 | 32
_FRAGMENTS, _VERSION, _INDEX_SECTION, _READER_FEATURES = 2, 3, 6, 9
_FRAGMENT_ID, _FRAGMENT_FILES, _FRAGMENT_DELETIONS, _FRAGMENT_ROWS = 1, 2, 3, 4
_FILE_PATH, _FILE_SIZE, _BASE = 1, 6, 7
_DELETION_TYPE, _DELETION_READ_VERSION, _DELETION_ID, _DELETION_ROWS = 1, 2, 3, 4
_INDEX_UUID, _INDEX_BASE, _INDEX_FILES = 1, 9, 10


@dataclass(frozen=True)
class TableShape:
    """How one version is laid out: fragments (each a data file), live rows, deleted rows still in the files."""

    fragments: int
    rows: int
    deleted: int


class Torn(Exception):
    """The bytes are no manifest; the text says which check failed. Becomes `Damaged` where the file's name is known."""


Listing = Callable[[str], Iterable[str]]
"""Gives the paths of all files below a folder of the table, relative to the table's."""


@dataclass(frozen=True)
class LanceManifest:
    """The manifest of `version`, as bytes: the whole file, because parts are found by their position in it.

    Raises:
        Torn: these are no such bytes.
    """

    raw: bytes
    version: int

    def __post_init__(self) -> None:
        fields = self._fields
        if fields.number(_VERSION) != self.version:
            raise Torn(f"says version {fields.number(_VERSION)} where {self.version} was expected")
        unknown = fields.number(_READER_FEATURES) & ~_KNOWN_FEATURES
        if unknown:
            raise Torn(f"uses Lance features ({unknown}) that Ragbook never writes")

    @cached_property
    def _fields(self) -> _Fields:
        if len(self.raw) < _FOOTER.size:
            raise Torn("truncated")
        position, _major, _minor, magic = _FOOTER.unpack_from(self.raw, len(self.raw) - _FOOTER.size)
        if magic != b"LANC":
            raise Torn("truncated, or not a Lance manifest")
        return _Fields(_section(self.raw, position))

    def shape(self) -> TableShape:
        """Fragments and rows. Raises Torn."""
        fragments = written = deleted = 0
        for fragment in self._fields.all(_FRAGMENTS):
            parts = _Fields(fragment)
            fragments += 1
            written += parts.number(_FRAGMENT_ROWS)
            deleted += sum(_Fields(part).number(_DELETION_ROWS) for part in parts.all(_FRAGMENT_DELETIONS))
        return TableShape(fragments, written - deleted, deleted)

    def files(self, listing: Listing) -> Iterator[tuple[str, int]]:
        """Path and noted size (0: not noted) of every file that the version needs, except the manifest. `listing` is
        asked where Lance did not list the files of an index. Raises Torn."""
        for raw in self._fields.all(_FRAGMENTS):
            fragment = _Fields(raw)
            for part in fragment.all(_FRAGMENT_FILES):
                file = _Fields(part)
                if file.has(_BASE):
                    raise Torn("refers to files outside of its folder")
                yield f"data/{_plain(file.text(_FILE_PATH))}", file.number(_FILE_SIZE)
            for part in fragment.all(_FRAGMENT_DELETIONS):
                deletion = _Fields(part)
                if deletion.has(_BASE):
                    raise Torn("refers to files outside of its folder")
                ending = "bin" if deletion.number(_DELETION_TYPE) == 1 else "arrow"
                read_version, number = deletion.number(_DELETION_READ_VERSION), deletion.number(_DELETION_ID)
                yield f"_deletions/{fragment.number(_FRAGMENT_ID)}-{read_version}-{number}.{ending}", 0
        if self._fields.has(_INDEX_SECTION):
            section = _Fields(_section(self.raw, self._fields.number(_INDEX_SECTION)))
            for raw in section.all(1):
                yield from _index_files(_Fields(raw), listing)


def _index_files(index: _Fields, listing: Listing) -> Iterator[tuple[str, int]]:
    if index.has(_INDEX_BASE):
        raise Torn("refers to files outside of its folder")
    identity = b"".join(_Fields(part).raw(1) for part in index.all(_INDEX_UUID))
    if len(identity) != 16:
        raise Torn("an index has no identity")
    inside = f"_indices/{uuid.UUID(bytes=identity)}"
    listed = [_Fields(part) for part in index.all(_INDEX_FILES)]
    if listed:
        for file in listed:
            yield f"{inside}/{_plain(file.text(1))}", file.number(2)
        return
    # Written by a Lance that did not list index files: all that is there belongs to it.
    found = list(listing(inside))
    if not found:
        raise Torn(f"needs {inside}, which is missing")
    for path in found:
        yield path, 0


def _plain(path: str) -> str:
    """`path`, refused unless it is a plain relative path: a manifest must not be able to point out of its folder."""
    pure = PurePosixPath(path)
    if not path or "\0" in path or "\\" in path or pure.is_absolute() or ".." in pure.parts or str(pure) != path:
        raise Torn(f"names the odd path {path[:80]!r}")
    return path


def _section(raw: bytes, position: int) -> bytes:
    """The message at `position`, which starts with its own length."""
    end = len(raw) - _FOOTER.size
    if position + _LENGTH.size > end:
        raise Torn("points behind its own end")
    (length,) = _LENGTH.unpack_from(raw, position)
    start = position + _LENGTH.size
    if start + length > end:
        raise Torn("is shorter than it says")
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
                    raise Torn("is no protobuf message")
                if length > len(raw) - at:
                    raise Torn("is shorter than it says")
                value, at = raw[at : at + length], at + length
            self._values.setdefault(key >> 3, []).append(value)

    def has(self, number: int) -> bool:
        return number in self._values

    def number(self, number: int) -> int:
        """The last number of that field, 0 where there is none (protobuf leaves zeros out)."""
        value = self._values.get(number, [0])[-1]
        if not isinstance(value, int):
            raise Torn(f"field {number} is no number")
        return value

    def all(self, number: int) -> list[bytes]:
        values = self._values.get(number, [])
        found = [value for value in values if isinstance(value, bytes)]
        if len(found) != len(values):
            raise Torn(f"field {number} is no message")
        return found

    def raw(self, number: int) -> bytes:
        return b"".join(self.all(number)[-1:])

    def text(self, number: int) -> str:
        try:
            return self.raw(number).decode()
        except UnicodeDecodeError as error:
            raise Torn(f"field {number} is no text") from error


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            raise Torn("is shorter than it says")
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & _WHOLE, at
    raise Torn("is no protobuf message")

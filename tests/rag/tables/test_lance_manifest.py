"""Bytes that are, or are not, the manifest of a Lance table. Of real tables: `test_lance_files`."""

from __future__ import annotations

import contextlib
import struct
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.tables.lance_manifest import LanceManifest, TableShape, Torn

IDENTITY = uuid.UUID(int=5)


def field(number: int, value: int | bytes) -> bytes:
    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def footer(position: int) -> bytes:
    return struct.pack("<QHH4s", position, 0, 2, b"LANC")


def framed(message: bytes) -> bytes:
    return struct.pack("<I", len(message)) + message


def files(raw: bytes, version: int = 1, there: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    def listing(inside: str) -> list[str]:
        return [f"{inside}/{name}" for name in there]

    return list(LanceManifest(raw, version).files(listing))


def test_fragments_deletions_and_indexes_are_listed() -> None:
    fragment = field(1, 7) + field(2, field(1, b"x.lance") + field(6, 300)) + field(4, 40)
    deletion = field(3, field(1, 1) + field(2, 8) + field(3, 9) + field(4, 2))
    index = field(1, field(1, field(1, IDENTITY.bytes)))
    listed = field(1, field(1, field(1, IDENTITY.bytes)) + field(10, field(1, b"page.lance") + field(2, 12)))
    for section, there in ((index, ("a", "b")), (listed, ())):
        before = framed(section)
        message = field(3, 1) + field(2, fragment + deletion) + field(6, 0)
        raw = before + framed(message) + footer(len(before))
        found = files(raw, there=there)
        assert found[:2] == [("data/x.lance", 300), ("_deletions/7-8-9.bin", 0)]
        named = [(f"_indices/{IDENTITY}/{name}", 0) for name in there]
        assert found[2:] == (named or [(f"_indices/{IDENTITY}/page.lance", 12)])
        assert LanceManifest(raw, 1).shape() == TableShape(fragments=1, rows=38, deleted=2)
    with pytest.raises(Torn, match="which is missing"):
        files(framed(index) + framed(message) + footer(len(framed(index))))


@settings(max_examples=200)
@given(raw=st.binary(max_size=200), position=st.integers(0, 2**64 - 1), whole=st.booleans())
def test_random_bytes_are_torn_and_nothing_else(raw: bytes, position: int, whole: bool) -> None:
    for tried in (framed(raw) + footer(0) if whole else raw + footer(position), raw):
        with contextlib.suppress(Torn):  # any other exception fails the test
            files(tried)
            LanceManifest(tried, 1).shape()


@pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", "a/../b", "", "a\\b", "a\0b", "./a", "a//b"])
def test_a_manifest_cannot_point_out_of_its_folder(path: str) -> None:
    message = field(3, 1) + field(2, field(2, field(1, path.encode())))
    with pytest.raises(Torn, match="odd path"):
        files(framed(message) + footer(0))


@pytest.mark.parametrize(
    ("message", "check"),
    [
        (field(3, 2), "says version 2"),
        (field(3, 1) + field(9, 2), "features"),
        (field(3, 1) + field(2, field(2, field(1, b"a") + field(7, 1))), "outside"),
        (field(3, 1) + field(2, field(3, field(7, 1))), "outside"),
        (field(3, 1) + field(6, 10**9), "behind its own end"),
        (field(3, b"1"), "is no number"),
        (field(3, 1) + field(2, 1), "is no message"),
        (field(3, 1)[:-1], "shorter than it says"),
    ],
)
def test_what_this_reader_does_not_know_is_refused(message: bytes, check: str) -> None:
    with pytest.raises(Torn, match=check):
        files(framed(message) + footer(0))


def test_a_manifest_that_is_cut_is_torn() -> None:
    for raw in (b"", b"LANC", footer(0)[:-1], footer(0)):
        with pytest.raises(Torn, match=r"truncated|behind its own end"):
            files(raw)

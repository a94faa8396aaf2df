"""Frames between the parent and the reading child: eight bytes of length (big-endian), then that many bytes of JSON.

Behind the frame that asks for a document come its bytes, as many as the frame says: the child may open no file.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any

_LENGTH = struct.Struct(">Q")

_BLOCK = 1 << 20

FRAME_LIMIT = 512 << 20
"""Bytes. A longer frame means that the other side is out of its mind, not that a document is long."""


class Broken(Exception):
    """The other side went away, or does not speak frames."""


def send(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Write one frame and flush. Raises Broken when the other side is gone."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    try:
        stream.write(_LENGTH.pack(len(body)))
        stream.write(body)
        stream.flush()
    except OSError as error:
        raise Broken(str(error)) from error


def send_bytes(stream: IO[bytes], document: IO[bytes], count: int) -> None:
    """Write `count` bytes of a document in blocks, and flush; what it lacks of them, as when it was cut short just now,
    is filled up with NULs, which no reader takes for text. Raises Broken when the other side is gone, OSError when the
    document cannot be read.
    """
    left = count
    while left:
        block = document.read(min(left, _BLOCK)) or bytes(min(left, _BLOCK))
        try:
            stream.write(block)
        except OSError as error:
            raise Broken(str(error)) from error
        left -= len(block)
    try:
        stream.flush()
    except OSError as error:
        raise Broken(str(error)) from error


def receive_bytes(stream: IO[bytes], count: int) -> bytes:
    """The next `count` bytes. Raises Broken where there are fewer."""
    body = stream.read(count)
    if len(body) != count:
        raise Broken("the stream ended inside a document")
    return body


def receive(stream: IO[bytes]) -> dict[str, Any]:
    """Read one frame. Raises Broken at the end of the stream, and for anything that is not a JSON object."""
    try:
        (length,) = _LENGTH.unpack(stream.read(_LENGTH.size))
        if length > FRAME_LIMIT:
            raise Broken(f"a frame of {length} bytes")
        body = stream.read(length)
        if len(body) != length:
            raise Broken("the stream ended inside a frame")
        message = json.loads(body)
    except (OSError, struct.error, ValueError) as error:
        raise Broken(str(error)) from error
    if not isinstance(message, dict):
        raise Broken("a frame that is not an object")
    return message

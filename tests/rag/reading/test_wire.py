"""Frames: what goes in comes out, and whatever is no frame is said to be none."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest

from rag.reading.wire import FRAME_LIMIT, Broken, receive, receive_bytes, send, send_bytes


def frame(body: bytes, length: int | None = None) -> io.BytesIO:
    return io.BytesIO(struct.pack(">Q", len(body) if length is None else length) + body)


@pytest.mark.parametrize("message", [{}, {"a": ["Größe", None, 1.5]}, {"text": "x" * 100_000}])
def test_one_after_the_other(message: dict[str, Any]) -> None:
    stream = io.BytesIO()
    send(stream, message)
    send(stream, {"next": True})
    stream.seek(0)
    assert [receive(stream), receive(stream)] == [message, {"next": True}]
    with pytest.raises(Broken):
        receive(stream)


@pytest.mark.parametrize(
    "stream",
    [
        io.BytesIO(),
        io.BytesIO(b"\0\0"),
        frame(b"{}", 5),
        frame(b"not json"),
        frame(b"[1]"),
        frame(b"\xff\xfe"),
        frame(b"", FRAME_LIMIT + 1),
    ],
)
def test_what_is_no_frame_is_broken(stream: io.BytesIO) -> None:
    with pytest.raises(Broken):
        receive(stream)


def test_a_lone_surrogate_is_replaced_on_the_way() -> None:
    stream = io.BytesIO()
    send(stream, {"a": "x\ud800"})
    stream.seek(0)
    assert receive(stream) == {"a": "x?"}


def test_nobody_at_the_other_end_is_broken() -> None:
    class Gone(io.BytesIO):
        def write(self, _: object) -> int:
            raise BrokenPipeError("gone")

    with pytest.raises(Broken, match="gone"):
        send(Gone(), {})


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 3_000_000])
def test_a_document_follows_its_frame(content: bytes) -> None:
    stream = io.BytesIO()
    send(stream, {"bytes": len(content)})
    send_bytes(stream, io.BytesIO(content), len(content))
    send(stream, {"next": True})
    stream.seek(0)
    assert receive_bytes(stream, receive(stream)["bytes"]) == content
    assert receive(stream) == {"next": True}


def test_a_document_that_was_cut_short_is_filled_up_and_a_stream_that_was_is_broken() -> None:
    stream = io.BytesIO()
    send_bytes(stream, io.BytesIO(b"short"), 8)
    stream.seek(0)
    assert receive_bytes(stream, 8) == b"short\0\0\0"
    stream.seek(0)
    with pytest.raises(Broken, match="inside a document"):
        receive_bytes(stream, 9)

"""The process in which documents are parsed: frames in, frames out, nothing else. Run by `isolation.Readers`."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from rag.errors import DamagedSource, ReadError, SourceTooLarge
from rag.reading import kinds, wire
from rag.reading.limits import address_space, limit_memory, limit_time
from rag.reading.places import Reading
from rag.reading.sandbox import shut

_MODULES = {
    kinds.PDF: "pdf",
    kinds.DOCX: "docx",
    kinds.HTML: "html",
    kinds.MARKDOWN: "markdown",
    kinds.PLAIN: "plain",
    kinds.CSV: "tabular",
    kinds.TSV: "tabular",
    kinds.JSON: "records",
    kinds.JSONL: "records",
    kinds.NOTEBOOK: "ipynb",
}

_TOO_MUCH = "Reading this file takes more memory than a document may have. Split it, then add the parts."


def read(raw: bytes, media_type: str) -> Reading:
    """Parse one document in this process, without limits of time and memory. Raises ReadError only."""
    try:
        module = importlib.import_module(f"rag.reading.{_MODULES[media_type]}")
        reading: Reading = module.read(raw, media_type)
    except ReadError:
        raise
    except MemoryError as error:
        raise SourceTooLarge(_TOO_MUCH) from error
    except Exception as error:
        raise DamagedSource(
            f"This file is damaged or not what its name says: its reader failed with {type(error).__name__}."
        ) from error
    return reading


def answer(message: dict[str, Any], requests: BinaryIO) -> dict[str, Any]:
    """The reply to one request of the parent, whose document follows in `requests`: a reading or an error, as JSON
    values.

    `last` is true when memory ran out: what the parser left behind is nothing to build on, and neither is a stream of
    which not everything was taken.
    """
    limit_time(message["seconds"])
    try:
        try:
            raw = wire.receive_bytes(requests, message["bytes"])
        except MemoryError:
            return {"error": SourceTooLarge.__name__, "sentence": _TOO_MUCH, "last": True}
        reading = read(raw, message["media_type"])
    except ReadError as error:
        return {"error": type(error).__name__, "sentence": str(error), "last": isinstance(error.__cause__, MemoryError)}
    finally:
        limit_time(0)
    return {"reading": asdict(reading), "last": False}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the parent goes away, or until this process has grown so much that a fresh one is better."""
    setup = wire.receive(requests)
    limit_memory(setup["memory_bytes"])
    shut()
    base = address_space() or 0
    wire.send(replies, {"ready": True})
    while True:
        try:
            message = wire.receive(requests)
        except wire.Broken:
            return
        reply = answer(message, requests)
        gc.collect()
        # A file must not fail because of what was read before it: leave while there is still room.
        reply["last"] |= (address_space() or 0) - base > setup["memory_bytes"] // 4
        wire.send(replies, reply)
        if reply["last"]:
            return


def main() -> None:
    """Keep the pipes to ourselves: a parser that prints must not break the frames."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    if not os.environ.get("RAGBOOK_READER_STDERR"):
        os.dup2(null, 2)
    logging.disable()
    try:
        serve(requests, replies)
    except wire.Broken:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Lance's asynchronous interface, asked from synchronous code: each query is one step to the thread of its event loop.

Lance's synchronous interface takes that step several times per query and describes the query once more in between:
full text over 10,000 chunks took 1.7 ms by the clock at best, and 0.9 this way; on a busy machine the difference is
larger, because every step waits for its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from rag.tables.lance import LOOP, AsyncTable, lancedb

T = TypeVar("T")


def begin(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start it on Lance's event loop; what it gives or raises is in the future."""
    return asyncio.run_coroutine_threadsafe(coroutine, LOOP.loop)


def result(asked: Coroutine[Any, Any, T] | Future[T]) -> T:
    """What it gives, waited for; it is given up where the waiting is."""
    future = asked if isinstance(asked, Future) else begin(asked)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def pinned_table(path: Path, version: int) -> AsyncTable:
    """The table at that version, which never changes."""

    async def opened() -> AsyncTable:
        database = await lancedb.connect_async(path.parent)
        return await database.open_table(path.stem, version=version)

    return result(opened())


def batches(query: Any, rows: int) -> Iterator[pa.RecordBatch]:
    """What an asynchronous query finds, at most `rows` at a time."""
    reader = result(query.to_batches(max_batch_length=rows))

    async def following() -> pa.RecordBatch | None:
        return await anext(reader, None)

    while (batch := result(following())) is not None:
        yield batch

"""Who writes, and when."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime


def now() -> str:
    """The time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def writer_name() -> str:
    """Who writes: host and process, for manifests and for those who wait."""
    return f"{socket.gethostname()}:{os.getpid()}"

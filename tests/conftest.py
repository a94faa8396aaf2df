"""For every test: a clean environment, no way off this machine, and real model servers on demand."""

from __future__ import annotations

import ipaddress
import operator
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests.servers import Misbehaving, llama_server, misbehaving_server
from tests.state import DOORS

# How fast an example is says how busy the machine is.
hypothesis.settings.register_profile("anywhere", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("anywhere")


def _stays_here(address: object) -> bool:
    """Whether a socket address, or the host alone, is this machine's: a path, loopback or nothing."""
    host = address[0] if isinstance(address, tuple) else address
    if host is None or isinstance(address, bytes) or (isinstance(address, str) and address.startswith(("/", "\0"))):
        return True
    if host in ("", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from outside; a connection or name lookup that would leave this machine fails the test."""
    for name in list(os.environ):
        if name.startswith(("RAGBOOK_", "OPENAI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)

    def guarded(original: Any, *, method: bool) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            address = arguments[1 if method else 0]
            if not _stays_here(address):
                # Not an Exception, which the code under test might take for a server that is down.
                pytest.fail(f"a test tried to reach {address!r}")
            return original(*arguments, **named)

        return call

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect, method=True))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex, method=True))
    monkeypatch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, method=False))


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """What the process keeps is set back after each test; what was not imported keeps nothing."""
    yield
    for name, door in DOORS.items():
        module = sys.modules.get(name.rpartition(".")[0])
        if module is not None:
            operator.attrgetter(door.removeprefix(f"{module.__name__}."))(module)()


@pytest.fixture(scope="session")
def chat_server() -> Iterator[str]:
    """Address of llama.cpp answering `/chat/completions` with the key `sk-good`."""
    with llama_server("chat") as address:
        yield address


@pytest.fixture(scope="session")
def embedding_server() -> Iterator[str]:
    """Address of llama.cpp answering `/embeddings` without a key: 576 dimensions."""
    with llama_server("embeddings") as address:
        yield address


@pytest.fixture(scope="session")
def _misbehaving() -> Iterator[Misbehaving]:
    with misbehaving_server() as server:
        yield server


@pytest.fixture
def misbehaving(_misbehaving: Misbehaving) -> Misbehaving:
    """A server that does what the test scripts, and counts."""
    _misbehaving.play()
    return _misbehaving

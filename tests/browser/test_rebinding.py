"""A web page elsewhere whose name was made to lead here drives nothing: real handshakes with a real server."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import serving


def shaken_hands(address: str, host: str, origin: str) -> int:
    """The status with which the server answers a WebSocket handshake under that name."""
    port = urlsplit(address).port
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /_stcore/stream HTTP/1.1",
            f"Host: {host.format(port=port)}",
            f"Origin: {origin.format(port=port)}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: streamlit",
            "",
            "",
        ]
        connection.sendall("\r\n".join(lines).encode())
        answer = connection.recv(4096).decode("latin-1")
    return int(answer.split()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with serving(tmp_path_factory.mktemp("rebinding") / "home") as address:
        yield address


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}", 101),
        ("localhost:{port}", "http://localhost:{port}", 101),
        ("[::1]:{port}", "http://[::1]:{port}", 101),
        ("evil.example:{port}", "http://evil.example:{port}", 403),
        ("evil.example", "http://evil.example", 403),
        ("127.0.0.1.evil.example:{port}", "http://127.0.0.1.evil.example:{port}", 403),
        ("127.0.0.1:{port}", "http://evil.example:{port}", 403),
    ],
)
def test_only_the_names_of_this_computer_are_answered(server: str, host: str, origin: str, status: int) -> None:
    assert shaken_hands(server, host, origin) == status


def test_another_name_can_be_given(tmp_path: Path) -> None:
    with serving(tmp_path / "home", STREAMLIT_SERVER_ALLOWED_HOSTS="ragbook.example") as address:
        assert shaken_hands(address, "ragbook.example", "http://ragbook.example") == 101
        assert shaken_hands(address, "evil.example", "http://evil.example") == 403

"""A connection that another thread can cut.

Closing a socket does not wake a thread that waits for bytes from it; shutting it down does. So an answer can be
stopped while the server is still silent, and the server learns at once that nobody listens any more.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import httpx
import openai

from rag.models.addresses import Allowance, Resolve, reachable, resolved
from rag.models.endpoint import Endpoint

CONNECT_TIMEOUT = 10.0  # seconds


class Line:
    """The connection of one request. `cut` may be called at any time, from any thread, more than once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_cut = False

    def opened(self, sock: socket.socket) -> None:
        """Remember the socket; shut it down at once if the line was cut before it was there."""
        with self._lock:
            self._socket = sock
            if self.is_cut:
                _shut_down(sock)

    def cut(self) -> None:
        """End the connection: whoever reads from it gets an error or the end."""
        with self._lock:
            self.is_cut = True
            if self._socket is not None:
                _shut_down(self._socket)


_LINE: ContextVar[Line | None] = ContextVar("line", default=None)


@contextlib.contextmanager
def on(line: Line) -> Iterator[None]:
    """Requests that this thread makes inside, with a client of `cuttable_client`, go over `line`."""
    token = _LINE.set(line)
    try:
        yield
    finally:
        _LINE.reset(token)


def client_of(endpoint: Endpoint, *, cuttable: bool = False) -> httpx.Client:
    """An httpx client for an endpoint. Where its address was saved on a page, each connection goes to an address that
    was judged, whatever a redirect says, and no proxy of the environment stands between.

    Where `cuttable`, a `Line` can cut its connections: each request has its own, so that no other is cut.
    """
    limits = httpx.Limits(max_keepalive_connections=0) if cuttable else httpx.Limits()
    hooks: dict[str, Any] = {"request": [_watch]} if cuttable else {}
    if endpoint.limits is None:
        return openai.DefaultHttpxClient(limits=limits, event_hooks=hooks)
    return openai.DefaultHttpxClient(
        limits=limits, event_hooks=hooks, trust_env=False, transport=Judged(endpoint.limits, limits=limits)
    )


class Judged(httpx.HTTPTransport):
    """Connects to the very address that was judged: by its number, with the name kept for the server and for TLS."""

    def __init__(self, allowed: Allowance, *, resolve: Resolve = resolved, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._allowed = allowed
        self._resolve = resolve

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises AddressRefused, before anything is sent; and what httpx raises."""
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            ip = reachable(url.host, port, self._allowed, self._resolve)
        except OSError as error:
            raise httpx.ConnectError(str(error.strerror or error), request=request) from error
        extensions = {**request.extensions, "sni_hostname": url.host}
        return super().handle_request(
            httpx.Request(
                request.method,
                url.copy_with(host=ip),
                headers=request.headers,  # with the name in `Host`
                stream=request.stream,
                extensions=extensions,
            )
        )


def timeouts(seconds: float) -> httpx.Timeout:
    """`seconds` without a byte, and at most `CONNECT_TIMEOUT` for the connection alone."""
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT))


def _watch(request: httpx.Request) -> None:
    line = _LINE.get()
    if line is None:
        return

    def trace(event: str, found: dict[str, Any]) -> None:
        # httpcore tells of every step; with TLS the encrypted stream comes second and replaces the plain one.
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            line.opened(found["return_value"].get_extra_info("socket"))

    request.extensions["trace"] = trace


def _shut_down(sock: socket.socket) -> None:
    # A socket that is already closed or was never connected needs no cutting.
    with contextlib.suppress(OSError):
        # Not SSLSocket.shutdown, which drops the state of the encryption under the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)

"""Connections that another thread can cut, and that go where was judged and nowhere else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rag.errors import AddressRefused
from rag.models.addresses import Allowance
from rag.models.connection import CONNECT_TIMEOUT, Judged, Line, client_of, on, timeouts
from rag.models.endpoint import Endpoint
from tests.servers import Misbehaving, hang, status
from tests.waiting import CEILING, FOREVER, until

HERE = Allowance(loopback=True)


@pytest.fixture
def client(misbehaving: Misbehaving) -> Iterator[httpx.Client]:
    with client_of(Endpoint("LLM", "m", misbehaving.address), cuttable=True) as made:
        made.timeout = httpx.Timeout(CEILING)
        yield made


def post(client: httpx.Client, address: str) -> httpx.Response:
    return client.post(f"{address}/x", json={})


def test_a_line_that_is_cut_wakes_who_waits_and_tells_the_server(client: httpx.Client, misbehaving: Misbehaving):
    misbehaving.play(hang(FOREVER))
    line = Line()
    failed: list[Exception] = []

    def ask() -> None:
        try:
            with on(line):
                post(client, misbehaving.address)
        except httpx.HTTPError as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: misbehaving.requests)
    line.cut()
    line.cut()  # once more does no harm
    thread.join(CEILING)
    assert not thread.is_alive()
    assert len(failed) == 1
    assert misbehaving.gone.get(timeout=CEILING)


def test_a_line_that_was_cut_before_it_was_there_never_opens(client: httpx.Client, misbehaving: Misbehaving):
    misbehaving.play(status(200, {}))
    line = Line()
    line.cut()
    with pytest.raises(httpx.HTTPError), on(line):
        post(client, misbehaving.address)
    assert line.is_cut


def test_only_the_request_of_a_line_is_cut(client: httpx.Client, misbehaving: Misbehaving):
    misbehaving.play(status(200, {}))
    line = Line()
    with on(line):
        assert post(client, misbehaving.address).status_code == 200
    line.cut()
    assert post(client, misbehaving.address).status_code == 200, "outside of it, and on a connection of its own"


def test_each_request_of_a_cuttable_client_has_its_own_connection(client: httpx.Client, misbehaving: Misbehaving):
    misbehaving.play(status(200, {}))
    found = []
    for _ in range(2):
        line = Line()
        with on(line):
            post(client, misbehaving.address)
        found.append(line._socket)
    assert None not in found
    assert found[0] is not found[1]


def test_cutting_what_is_closed_is_no_failure():
    line = Line()
    one, other = socket.socketpair()
    line.opened(one)
    one.close()
    other.close()
    line.cut()


def judged(resolve: Any, allowed: Allowance = HERE) -> httpx.Client:
    return httpx.Client(transport=Judged(allowed, resolve=resolve), trust_env=False)


def test_the_connection_goes_to_the_number_that_was_judged_under_the_name_that_was_asked(misbehaving: Misbehaving):
    misbehaving.play(status(200, {}))
    port = int(misbehaving.address.split(":")[2].removesuffix("/v1"))
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    with judged(resolve) as client:
        assert client.post(f"http://models.example:{port}/v1", json={}).status_code == 200
    assert asked == [("models.example", port)], "resolved once"
    assert misbehaving.requests[0].headers["Host"] == f"models.example:{port}"


@pytest.mark.parametrize("ip", ["169.254.169.254", "10.0.0.1", "::ffff:192.168.0.1"])
def test_what_is_refused_is_not_connected_to(ip: str, misbehaving: Misbehaving):
    with judged(lambda *_: [ip]) as client, pytest.raises(AddressRefused):
        client.post("http://models.example/v1", json={})
    assert misbehaving.requests == []


def test_a_name_that_nobody_knows_is_no_connection():
    def unknown(*_: Any) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with judged(unknown) as client, pytest.raises(httpx.ConnectError, match="Name or service not known"):
        client.get("https://nowhere.example/")


def test_a_client_of_a_page_knows_no_proxy(misbehaving: Misbehaving, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    misbehaving.play(status(200, {}))
    with client_of(Endpoint("LLM", "m", misbehaving.address, limits=HERE)) as client:
        assert post(client, misbehaving.address).status_code == 200


@pytest.mark.parametrize(("seconds", "connect"), [(0.3, 0.3), (600.0, CONNECT_TIMEOUT)])
def test_timeouts(seconds: float, connect: float):
    found = timeouts(seconds)
    assert (found.read, found.connect) == (seconds, connect)

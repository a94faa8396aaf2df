"""Where an address saved on a page may lead: every way to write an internal address is tried."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from rag.errors import AddressRefused
from rag.models.addresses import SERVED, Allowance, allowance, check_saved, is_openai, origin, reachable, resolved

OPEN = Allowance(loopback=True, private=True)


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "100.100.100.200",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
def test_some_are_refused_whatever_is_allowed(ip: str) -> None:
    with pytest.raises(AddressRefused):
        reachable(ip, 80, OPEN)


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_this_computer_only_where_it_is_allowed(ip: str) -> None:
    assert ipaddress.ip_address(reachable(ip, 80, Allowance(loopback=True))) == ipaddress.ip_address(ip)
    with pytest.raises(AddressRefused, match="this computer itself"):
        reachable(ip, 80, Allowance(private=True))


@pytest.mark.parametrize("ip", ["10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1"])
def test_the_network_only_where_it_is_allowed(ip: str) -> None:
    assert ipaddress.ip_address(reachable(ip, 80, Allowance(private=True))) == ipaddress.ip_address(ip)
    with pytest.raises(AddressRefused, match="private network"):
        reachable(ip, 80, Allowance(loopback=True))


def test_the_open_internet_is_allowed() -> None:
    assert reachable("8.8.8.8", 443, Allowance()) == "8.8.8.8"
    assert reachable("example.com", 443, Allowance(), lambda *_: ["93.184.215.14"]) == "93.184.215.14"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
def test_numbers_in_other_forms_are_judged_by_what_they_lead_to(host: str) -> None:
    """The system takes them for 127.0.0.1, so they are no way around."""
    with pytest.raises(AddressRefused, match="this computer itself"):
        reachable(host, 80, Allowance(private=True), lambda name, _: [socket.inet_ntoa(socket.inet_aton(name))])


def test_one_bad_address_of_several_is_enough() -> None:
    with pytest.raises(AddressRefused):
        reachable("mixed.example", 443, Allowance(), lambda *_: ["93.184.215.14", "127.0.0.1"])


@pytest.mark.parametrize("host", ["metadata.google.internal", "METADATA.google.internal.", "metadata"])
def test_names_of_metadata_services_are_not_even_looked_up(host: str) -> None:
    asked: list[str] = []

    def resolve(name: str, _: int) -> list[str]:
        asked.append(name)
        return ["93.184.215.14"]

    with pytest.raises(AddressRefused):
        reachable(host, 80, OPEN, resolve)
    assert asked == []


def test_a_name_without_an_address_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="no address"):
        reachable("nowhere.example", 80, OPEN, lambda *_: [])


def test_loopback_is_allowed_as_long_as_only_this_computer_reaches_the_pages() -> None:
    assert allowance(()) == Allowance(loopback=True)
    SERVED.told("127.0.0.1")
    assert allowance(()) == Allowance(loopback=True)
    for widely in ("0.0.0.0", "192.168.1.5", None, "::"):
        SERVED.told(widely)
        assert allowance(()) == Allowance()
    assert allowance(("loopback", "private")) == OPEN
    assert allowance(("none",)) == Allowance()
    SERVED.told("::1")
    assert allowance(("none",)) == Allowance()
    assert allowance(()) == Allowance(loopback=True)


def test_what_can_be_told_is_refused_before_it_is_saved() -> None:
    check_saved("http://localhost:11434/v1", Allowance(loopback=True))
    check_saved("https://models.example/v1", Allowance())
    for address in ("http://localhost:11434/v1", "http://app.localhost/v1", "http://[::1]:80/v1", "http://10.1.1.1/v1"):
        with pytest.raises(AddressRefused, match="RAGBOOK_ALLOW_ADDRESSES"):
            check_saved(address, Allowance())
    with pytest.raises(AddressRefused, match="web server"):
        check_saved("ftp://models.example/v1", OPEN)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://Api.Example/v1") == ("https", "api.example", 443)
    assert origin("http://a:8000/v1") != origin("http://a:8001/v1")
    assert is_openai("https://api.openai.com/v1")
    assert is_openai("https://eu.api.openai.com/v1")
    for address in ("http://api.openai.com/v1", "https://api.openai.com.evil.example/v1", "https://xapi.openai.com/v1"):
        assert not is_openai(address)


def test_the_system_resolves_names() -> None:
    assert all(ipaddress.ip_address(one).is_loopback for one in resolved("localhost", 80))

"""Which addresses this server may be sent to, and by whom.

What stands in the environment, `.env` or secrets is the owner's word and is not judged. What was saved on a page may
come from anybody who reaches the page, so it must not open what only this server reaches: link-local addresses and the
metadata services of clouds never, this computer and its network only where the owner allows it.

A name is resolved once, every address that it has is judged, and the connection goes to one of those: a name that
answers otherwise a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rag.errors import AddressRefused

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses. Raises OSError where there are none."""

_METADATA_NAMES = ("metadata", "metadata.google.internal", "metadata.goog", "instance-data")
_METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class _Served:
    """Whether the pages of this process can be reached from other computers, as far as whoever serves them said."""

    widely: bool = False

    def told(self, address: str | None) -> None:
        """The pages are served at `address`; None: at every address of this computer."""
        self.widely = not _is_loopback_name(address or "")

    def reset(self) -> None:
        """As in a process that serves no pages."""
        self.widely = False


SERVED = _Served()
"""The one thing here that the whole process shares: set once, when a server starts."""


@dataclass(frozen=True)
class Allowance:
    """What an address saved on a page may be, beyond the open internet."""

    loopback: bool = False
    private: bool = False

    def judge(self, ip: IpAddress) -> str | None:
        """Why a connection to `ip` is refused, as the end of a sentence; None where it is allowed."""
        ip = _meant(ip)
        if ip in _METADATA or ip.is_link_local:
            return "belongs to the machine's own network segment, where clouds keep their keys"
        if ip.is_multicast or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback):
            return "is no address of a server"
        if ip.is_loopback:
            return None if self.loopback else "is this computer itself"
        if not ip.is_global:
            return None if self.private else "is in a private network"
        return None


def allowance(asked: Sequence[str]) -> Allowance:
    """What RAGBOOK_ALLOW_ADDRESSES allows; where it is empty, loopback as long as only this computer reaches the pages:
    whoever sits here may use the servers that run here."""
    if not asked:
        return Allowance(loopback=not SERVED.widely)
    return Allowance(loopback="loopback" in asked, private="private" in asked)


def resolved(host: str, port: int) -> list[str]:
    """The IP addresses of a host, as the system knows them. Raises OSError where there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def reachable(host: str, port: int, allowed: Allowance, resolve: Resolve = resolved) -> str:
    """The IP address to connect to for `host`. Every address that the host has must be allowed: of two, one of which is
    forbidden, the other is no excuse.

    Raises:
        AddressRefused: it may not be connected to. OSError: there is no such host.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name in _METADATA_NAMES:
        raise _refused(host, "is where a cloud keeps its keys")
    try:
        found = [str(ipaddress.ip_address(name))]
    except ValueError:
        found = list(resolve(name, port))
    for one in found:
        why = allowed.judge(ipaddress.ip_address(one.split("%", 1)[0]))
        if why is not None:
            raise _refused(host, why)
    if not found:
        raise OSError(f"{host} has no address")
    return found[0]


def check_saved(address: str, allowed: Allowance) -> None:
    """Refuse an address before it is saved, as far as it can be told without looking its name up.

    Raises:
        AddressRefused
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https"):
        raise _refused(host, "is no address of a web server")
    literal = host == "localhost" or host.endswith(".localhost")
    reachable("127.0.0.1" if literal else host, 0, allowed, resolve=lambda *_: ["8.8.8.8"])


def origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port: whom a key is told."""
    parts = urlsplit(address)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def is_openai(address: str) -> bool:
    """Whether an address is OpenAI's own, over an encrypted connection."""
    scheme, host, _ = origin(address)
    return scheme == "https" and (host == "api.openai.com" or host.endswith(".api.openai.com"))


def _meant(ip: IpAddress) -> IpAddress:
    """The IPv4 address that is written inside an IPv6 address, where there is one."""
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inside is None and ip in _NAT64:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return inside or ip
    return ip


def _is_loopback_name(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


def _refused(host: str, why: str) -> AddressRefused:
    return AddressRefused(
        f"{host} {why}, and an address saved on a page may not lead there. Give the address in the environment, or "
        "allow it with RAGBOOK_ALLOW_ADDRESSES."
    )

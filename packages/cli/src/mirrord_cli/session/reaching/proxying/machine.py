"""Conversations with proxies that end in a tunnel: HTTP's CONNECT and SOCKS version 5. Bytes in, bytes out. No I/O.

The session's driver (../driver.py) and the command line's (../../../cluster/api/tunnel/driver.py) carry them on. That an
`https://` proxy has TLS around the conversation is their business too.
"""

from __future__ import annotations

import base64
import enum
import ipaddress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

import h11

PORTS = {"http": 80, "https": 443, "socks5": 1080}
VERSION = 5
NO_NAME, BY_NAME = 0, 2
"""Ways to say who asks (RFC 1928 3)."""
REPLIES = {
    1: "it failed",
    2: "its rules don't allow it",
    3: "the network is unreachable",
    4: "the host is unreachable",
    5: "the connection was refused",
    6: "it took too long",
    7: "it can't do that",
    8: "it doesn't know this kind of address",
}
"""RFC 1928 6."""
LONGEST = 255
"""Bytes of a name or a password."""


class ProxyRefused(Exception):
    """A proxy carries nothing; says why."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and who may use it."""

    scheme: str
    """`http`, `https` or `socks5`."""
    host: str
    port: int
    name: str | None
    password: str


class Tunnel(Protocol):
    """A conversation with a proxy."""

    @property
    def open(self) -> bool:
        """Whether it is over, and bytes go to the server and come from it from now on."""

    def pull(self) -> bytes:
        """Return what is to be sent now."""

    def receive(self, data: bytes) -> None:
        """Take what came; empty is the end. Raises ProxyRefused."""


def proxy_of(address: str) -> Proxy:
    """Return what an address of `Access.proxy` means, which was found to be one."""
    parts = urlsplit(address)
    scheme = parts.scheme.lower()
    name = None if parts.username is None else unquote(parts.username)
    return Proxy(scheme, parts.hostname or "", parts.port or PORTS[scheme], name, unquote(parts.password or ""))


def tunnel_by(proxy: Proxy, host: str, port: int) -> Tunnel:
    """Return the conversation that leads to a port of a host, by its name or address."""
    return Socks(proxy, host, port) if proxy.scheme == "socks5" else Connect(proxy, host, port)


class Connect:
    """HTTP's CONNECT (RFC 9110 9.3.6)."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self._http = h11.Connection(h11.CLIENT)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        headers = [("Host", target)]
        if proxy.name is not None:
            both = base64.b64encode(f"{proxy.name}:{proxy.password}".encode()).decode()
            headers.append(("Proxy-Authorization", f"Basic {both}"))
        self._unsent = self._http.send(h11.Request(method="CONNECT", target=target, headers=headers)) or b""
        self._unsent += self._http.send(h11.EndOfMessage()) or b""
        self.open = False

    def pull(self) -> bytes:
        """Return what is to be sent now."""
        unsent, self._unsent = self._unsent, b""
        return unsent

    def receive(self, data: bytes) -> None:
        """Take what came; empty is the end. Raises ProxyRefused."""
        if not data:
            raise ProxyRefused("it closed the connection")
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
            while isinstance(event, h11.InformationalResponse):
                event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise ProxyRefused(f"it speaks no HTTP ({error})") from None
        if isinstance(event, h11.Response):
            if not 200 <= event.status_code < 300:
                reason = bytes(event.reason).decode("ascii", "replace")
                raise ProxyRefused(f"it answers {event.status_code} {reason}".rstrip())
            if self._http.trailing_data[0]:
                raise ProxyRefused("something else than the server answers")
            self.open = True


class _Step(enum.Enum):
    """What a SOCKS proxy says next."""

    METHOD = enum.auto()
    NAME = enum.auto()
    REPLY = enum.auto()


class Socks:
    """SOCKS version 5 (RFC 1928), with a name and a password (RFC 1929) if they are wanted. The proxy finds names."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self._proxy = proxy
        self._request = bytes((VERSION, 1, 0)) + _address(host) + port.to_bytes(2, "big")
        methods = bytes((NO_NAME,) if proxy.name is None else (NO_NAME, BY_NAME))
        self._unsent = bytes((VERSION, len(methods))) + methods
        self._came = b""
        self._step = _Step.METHOD
        self.open = False

    def pull(self) -> bytes:
        """Return what is to be sent now."""
        unsent, self._unsent = self._unsent, b""
        return unsent

    def receive(self, data: bytes) -> None:
        """Take what came; empty is the end. Raises ProxyRefused."""
        if not data:
            raise ProxyRefused("it closed the connection")
        self._came += data
        while not self.open and self._go_on():
            pass
        if self.open and self._came:
            raise ProxyRefused("something else than the server answers")

    def _go_on(self) -> bool:
        """Take one of its messages; False: it isn't complete."""
        came = self._came
        if self._step is not _Step.REPLY:
            if len(came) < 2:
                return False
            self._came = came[2:]
            if self._step is _Step.METHOD:
                self._answer_method(came[0], came[1])
            elif came[1] != 0:
                raise ProxyRefused("it doesn't take the name and the password")
            else:
                self._ask()
            return True
        if len(came) < 5:
            return False
        if came[0] != VERSION:
            raise ProxyRefused("it speaks no SOCKS 5")
        if came[1] != 0:
            raise ProxyRefused(REPLIES.get(came[1], f"it answers {came[1]}"))
        sizes = {1: 4, 3: 1 + came[4], 4: 16}
        if came[3] not in sizes:
            raise ProxyRefused("it speaks no SOCKS 5")
        size = 4 + sizes[came[3]] + 2
        if len(came) < size:
            return False
        self._came = came[size:]
        self.open = True
        return True

    def _answer_method(self, version: int, method: int) -> None:
        if version != VERSION:
            raise ProxyRefused("it speaks no SOCKS 5")
        if method == NO_NAME:
            self._ask()
        elif method == BY_NAME and self._proxy.name is not None:
            self._step = _Step.NAME
            both = (text.encode()[:LONGEST] for text in (self._proxy.name, self._proxy.password))
            self._unsent += b"\1" + b"".join(bytes((len(text),)) + text for text in both)
        else:
            raise ProxyRefused("it wants a name and a password" if self._proxy.name is None else "it takes no password")

    def _ask(self) -> None:
        self._step = _Step.REPLY
        self._unsent += self._request


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna") if not host.isascii() else host.encode()
        if len(name) > LONGEST:
            raise ProxyRefused("the server's name is too long for it") from None
        return bytes((3, len(name))) + name
    return bytes((1 if address.version == 4 else 4,)) + address.packed

"""What is said of names, addresses and connections, as plain immutable values. The rest is in values.py.

How they become bytes is in network_messages.py. Host addresses are bytes in network order, as `socket.inet_pton` makes.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where a socket is, or is connected to."""

    host: bytes
    """4 bytes (IPv4) or 16 (IPv6); empty for none."""
    port: int
    scope: int = 0
    """As sin6_scope_id, in the target's network."""

    def __str__(self) -> str:
        """Return it as people write it."""
        if not self.host:
            return "none"
        host = str(ipaddress.ip_address(self.host))
        return f"{host}:{self.port}" if len(self.host) == 4 else f"[{host}]:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """Where a Unix socket is: a path, or a NUL and an abstract name; empty for none."""

    path: bytes

    def __str__(self) -> str:
        """Return it as people write it."""
        return self.path.decode(errors="backslashreplace").replace("\0", "@", 1)


NOWHERE = Address(b"", 0)


class Families(enum.IntFlag):
    IPV4 = 1
    IPV6 = 2


class NameOutcome(enum.IntEnum):
    """How a lookup ended; named after getaddrinfo's EAI codes."""

    FOUND = 0
    NO_NAME = 1
    NO_DATA = 2
    TRY_AGAIN = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class Resolve:
    """Ask for a name's addresses, as getaddrinfo(3) would give them to the target."""

    name: bytes
    families: Families = Families.IPV4 | Families.IPV6
    canonical_name: bool = False
    configured_only: bool = False
    """As AI_ADDRCONFIG."""


@dataclass(frozen=True, slots=True)
class Reverse:
    """Ask for an address's name, as getnameinfo(3) would give it to the target."""

    address: Address


@dataclass(frozen=True, slots=True)
class Query:
    """Ask the target's servers a question in DNS's own format (RFC 1035)."""

    message: bytes
    search: bool = False
    """Apply the target's search list, as res_search(3) does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The answer to `Resolve` and `Reverse`."""

    outcome: NameOutcome
    addresses: tuple[Address, ...] = ()
    """In the order of RFC 6724, as seen from the target; ports are 0."""
    name: bytes = b""
    aliases: tuple[bytes, ...] = ()
    lifetime: int = 0
    """Milliseconds for which this answer, also a bad one, may be remembered."""


@dataclass(frozen=True, slots=True)
class Records:
    """The answer to `Query`: a DNS message."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect from the target's network."""

    to: Address | UnixAddress
    credit: int = 0
    """Bytes that the agent may send at once; the typed client sets it."""


@dataclass(frozen=True, slots=True)
class Datagrams:
    """Open a UDP socket in the target's network."""

    to: Address = NOWHERE
    """Connect it."""
    ipv6: bool = False
    credit: int = 0


@dataclass(frozen=True, slots=True)
class Connected:
    """The answer to `Connect` and `Datagrams`."""

    local: Address | UnixAddress
    peer: Address | UnixAddress
    credit: int


class SubscribeMode(enum.IntEnum):
    STEAL = 0
    MIRROR = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Want the connections that come to a TCP port of the target, or copies of them."""

    port: int
    mode: SubscribeMode
    loopback: bool = True
    """Those too that come from the target itself."""
    reset: bool = True
    """Reset connections established before; else they stay the target's."""
    credit: int = 0
    """Bytes of each connection that the agent may send at once; the typed client sets it."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The answer to `Subscribe`."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """From the agent: a connection has come; its id is the agent's."""

    subscription: int
    peer: Address
    local: Address
    credit: int


NetworkRequest = Resolve | Reverse | Query | Connect | Datagrams | Subscribe
NetworkAnswer = Resolved | Records | Connected | Subscribed

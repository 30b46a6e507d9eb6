"""What the machines of this folder want done, as plain values; answers to layers are ../actions.py's. driver.py carries
them out.

Connects, datagram sockets and binds are known by numbers, subscriptions by their port; each kind counts its own.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mirrord_protocol.network_values import Address, UnixAddress


class Family(enum.Enum):
    """Which loopback a program's socket can reach, and how its address is written for it."""

    IPV4 = "127.0.0.1"
    MAPPED = "::ffff:127.0.0.1"
    """A socket of IPv6 that takes IPv4's addresses too: it is given those."""
    IPV6 = "::1"
    """One that takes IPv6 only."""
    UNIX = "unix"


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect from the target; comes back as `reached` or `unreached`.

    One that waits is answered when it is; its channel's end, or the deadline, ends it. Any other gets its address at
    once (`offered`), and is joined when both it (`Join`) and the target are there.
    """

    connect: int
    channel: int
    inode: int
    to: Address | UnixAddress
    family: Family
    waits: bool
    timeout: float | None = None
    """Seconds; None: as long as the target tries."""


@dataclass(frozen=True, slots=True)
class Join:
    """A socket that doesn't wait has called connect, and has this address."""

    connect: int
    own: Address


@dataclass(frozen=True, slots=True)
class Carry:
    """Carry a program's datagrams; comes back as `opened` or `not_opened`."""

    socket: int
    inode: int
    family: Family
    to: Address | None
    """Where the socket is connected to; None: nowhere."""
    ipv6: bool
    """Whether the target's socket has to be one of IPv6."""
    own: Address | None = None
    """The program's own address, if it is known."""


@dataclass(frozen=True, slots=True)
class AddPeer:
    """Make the socket that stands for one of a datagram socket's peers; comes back as `peered` or `not_peered`."""

    socket: int
    peer: Address


@dataclass(frozen=True, slots=True)
class DropPeer:
    """Give one of a datagram socket's peers up."""

    socket: int
    peer: Address


@dataclass(frozen=True, slots=True)
class Drop:
    """Carry a socket's datagrams no more."""

    socket: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """An address that a program's socket might be bound to."""

    address: Address
    shared: bool = False
    """Others of its user may have it too, if all of them share it (SO_REUSEPORT)."""
    after: frozenset[str] = frozenset()
    """Only if the first attempt failed with one of these; empty: with any."""


@dataclass(frozen=True, slots=True)
class TryBind:
    """Find the first address that can be bound; comes back as `tried`."""

    bind: int
    attempts: tuple[Attempt, ...]
    datagram: bool
    ipv6_only: bool


@dataclass(frozen=True, slots=True)
class WantPort:
    """Subscribe to a port of the target; comes back as `subscribed` or `not_subscribed`, at its end as `unsubscribed`."""

    port: int


@dataclass(frozen=True, slots=True)
class LeavePort:
    """Want a port no more."""

    port: int


@dataclass(frozen=True, slots=True)
class WatchListeners:
    """Look for the end of listeners (`looked`) as long as there are any."""


@dataclass(frozen=True, slots=True)
class WatchDatagrams:
    """Look for the end of programs' datagram sockets (`looked`) as long as there are any."""


NetworkAction = (
    Dial | Join | Carry | AddPeer | DropPeer | Drop | TryBind | WantPort | LeavePort | WatchListeners | WatchDatagrams
)

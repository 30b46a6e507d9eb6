"""Makes sockets in the target's network, and turns their addresses into the protocol's and back.

The agent is in that network since it took its rights: target/driver.py. What sockets are used for is said in names/,
outgoing/ and incoming/.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import trio

from mirrord_agent.kernel.layouts import SOCKET_MARK
from mirrord_protocol.network_values import Address, UnixAddress

FAMILIES = {4: socket.AF_INET, 16: socket.AF_INET6}
"""By the size of a host's address."""


class Sockets:
    """Makes sockets; `marked`: we may give them our mark (NET_ADMIN), and must since we may have rules."""

    def __init__(self, *, marked: bool) -> None:
        self._marked = marked

    def open(self, family: int, kind: int) -> socket.socket:
        """Return a new socket that never waits; raises OSError, EAFNOSUPPORT where the target has no such family."""
        made = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        try:
            if self._marked and family != socket.AF_UNIX:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, SOCKET_MARK)
        except OSError:
            made.close()
            raise
        return made


async def reach(raw: socket.socket, to: tuple[Any, ...]) -> int:
    """Connect a socket over TCP; return the errno, 0 for none. How long that may take is the caller's business."""
    number = raw.connect_ex(to)
    if number == errno.EINPROGRESS:
        await trio.lowlevel.wait_writable(raw)
        number = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return number


def family_of(address: Address) -> int:
    """Return the family of an address; raises OSError(EAFNOSUPPORT) for none."""
    try:
        return FAMILIES[len(address.host)]
    except KeyError:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT)) from None


def to_system(address: Address, family: int) -> tuple[Any, ...]:
    """Return an IP address as Python's socket module takes it; an IPv4 one for an IPv6 socket is mapped."""
    host = address.host
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, host), address.port
    if len(host) == 4:
        host = bytes(10) + b"\xff\xff" + host
    return socket.inet_ntop(socket.AF_INET6, host), address.port, 0, address.scope


def from_system(family: int, address: Any) -> Address | UnixAddress:
    """Return an address as the protocol has it, from what Python's socket module gives."""
    if family == socket.AF_UNIX:
        return UnixAddress(os.fsencode(address) if isinstance(address, str) else bytes(address or b""))
    host = socket.inet_pton(family, address[0].partition("%")[0])
    return Address(host, address[1], address[3] if family == socket.AF_INET6 else 0)

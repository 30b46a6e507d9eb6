"""Asks the kernel for the addresses of the target's interfaces, and from which one it would reach others.

What follows from it is decided in machine.py.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from mirrord_agent.names.order.machine import ADDRESS, MESSAGE, Interface, parse_interfaces
from mirrord_agent.sockets.driver import Sockets, family_of, to_system
from mirrord_protocol.network_values import Address

RTM_GETADDR, NLM_F_REQUEST, NLM_F_DUMP = 22, 0x1, 0x300
NETLINK_ROUTE = 0
MOST = 1 << 16


def interfaces() -> list[Interface]:
    """Return every address that an interface has, or none where we may not ask; the kernel answers at once."""
    try:
        return _interfaces()
    except OSError:  # the order has less to go by then, the addresses are the same
        return []


def _interfaces() -> list[Interface]:
    found: list[Interface] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as asked:
        size = MESSAGE.size + ADDRESS.size
        asked.send(MESSAGE.pack(size, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + ADDRESS.pack(0, 0, 0, 0, 0))
        last = False
        while not last:
            some, last = parse_interfaces(asked.recv(MOST))
            found += some
    return found


def sources(hosts: Iterable[tuple[bytes, int]], sockets: Sockets) -> dict[bytes, bytes]:
    """Return the source address of each host (with its scope) that can be reached. Nothing is sent."""
    found = {}
    for host, scope in hosts:
        address = Address(host, 0, scope)
        family = family_of(address)
        try:
            with sockets.open(family, socket.SOCK_DGRAM) as made:
                made.connect(to_system(address, family))
                found[host] = socket.inet_pton(family, made.getsockname()[0].partition("%")[0])
        except OSError:  # no route, or no such family
            continue
    return found

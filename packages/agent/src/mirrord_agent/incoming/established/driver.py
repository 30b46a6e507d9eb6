"""Finds the connections of a port that were established before, and resets them. The messages are machine.py's."""

from __future__ import annotations

import errno
import socket

import trio

from mirrord_agent.incoming.established.machine import (
    CONNECTED,
    IPV4,
    IPV6,
    Found,
    State,
    answers,
    ask,
    destroy,
    outcomes,
)

NETLINK_SOCK_DIAG = 4
SIZE = 1 << 16
AT_ONCE = 64
"""Sockets that are ended before other tasks get their turn."""
_FAMILIES = (IPV4, IPV6)


async def reset_established(port: int, *, loopback: bool) -> int:
    """Reset the connections that the target's servers on `port` have; return how many there were.

    Connections whose own end has that port by chance, without a server, are left alone, and, unless `loopback`, those
    that come from the target itself. Raises OSError where the kernel can't (it has no INET_DIAG_DESTROY).
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        if not [each for family in _FAMILIES for each in await _list(netlink, family, port, (State.LISTEN,))]:
            return 0
        found = [each for family in _FAMILIES for each in await _list(netlink, family, port, CONNECTED)]
        if not loopback:
            own = {host for host in {each.peer for each in found} if is_own(host)}
            found = [each for each in found if each.peer not in own]
        return await _destroy(netlink, found)


async def _list(netlink: socket.socket, family: int, port: int, states: tuple[State, ...]) -> list[Found]:
    netlink.send(ask(family, port, states))
    found: list[Found] = []
    while True:
        for each in answers(netlink.recv(SIZE)):  # the kernel answers as it is read, so this doesn't wait
            if each is None:
                return found
            found.append(each)
        await trio.lowlevel.checkpoint()


async def _destroy(netlink: socket.socket, found: list[Found]) -> int:
    ended = 0
    for number, each in enumerate(found, 1):
        netlink.send(destroy(each, number))
        for error in outcomes(netlink.recv(SIZE)):
            if error is None:
                ended += 1
            elif error.errno != errno.ENOENT:  # it had ended by itself
                raise error
        if number % AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
    return ended


def is_own(host: bytes) -> bool:
    """Whether an address is one of this network namespace's own: nothing can be bound to others."""
    family = socket.AF_INET if len(host) == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((socket.inet_ntop(family, host), 0))
        except OSError:
            return False
        return True

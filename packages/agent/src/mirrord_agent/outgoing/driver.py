"""Connects from the target's network: TCP, and Unix sockets below the target's root or in its network's namespace.

Errors are the target's own. Established, a connection is relay's (mirrord_protocol); datagrams have their own driver.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable
from typing import Any

import trio

from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.walk.machine import check_path, os_error
from mirrord_agent.kernel.layouts import O_PATH
from mirrord_agent.outgoing.machine import PATIENCE, RETRY, destination, is_own
from mirrord_agent.sockets.driver import Sockets, family_of, from_system, reach, to_system
from mirrord_agent.workers.driver import Workers
from mirrord_protocol.network_values import Address, Connect, UnixAddress
from mirrord_protocol.relay import relay, reset_on_close
from mirrord_protocol.server import Reply


class Outgoing:
    """The connections that leave from one target."""

    def __init__(self, paths: Paths, workers: Workers, sockets: Sockets) -> None:
        self._paths = paths
        self._workers = workers
        self._sockets = sockets

    async def connect(self, request: Connect, reply: Reply) -> None:
        """Establish a connection and carry its bytes to its end; an OSError says why there is none."""
        to = request.to
        raw = await (self._connect_unix(to) if isinstance(to, UnixAddress) else self._connect_tcp(to))
        try:
            local: Address | UnixAddress = from_system(raw.family, raw.getsockname())
            # A Unix socket is known by the path it was reached by; what it was bound to may be out of reach.
            peer = (
                to
                if isinstance(to, UnixAddress)
                else from_system(raw.family, _peer(raw, to_system(destination(to), raw.family)))
            )
            connection = reply.connect(local, peer)
        except OSError:
            raw.close()
            raise
        await relay(trio.socket.from_stdlib_socket(raw), connection)

    async def _connect_tcp(self, to: Address) -> socket.socket:
        to = destination(to)
        family = family_of(to)
        raw = self._sockets.open(family, socket.SOCK_STREAM)
        return await _reached(raw, _reach_tcp(raw, to_system(to, family)))

    async def _connect_unix(self, to: UnixAddress) -> socket.socket:
        if to.path.startswith(b"\0"):
            return await self._connect_unix_to(to.path)
        check_path(to.path)
        fd = await self._workers.run(lambda: self._paths.open(to.path, O_PATH), undo=os.close)
        try:
            # The file that was found is meant, whatever its path leads to by now; its permissions are checked here.
            return await self._connect_unix_to(b"/proc/self/fd/%d" % fd)
        finally:
            os.close(fd)

    async def _connect_unix_to(self, name: bytes) -> socket.socket:
        raw = self._sockets.open(socket.AF_UNIX, socket.SOCK_STREAM)
        return await _reached(raw, _reach_unix(raw, name))


async def _reached(raw: socket.socket, reaching: Awaitable[int]) -> socket.socket:
    """Return a socket whose connecting ended well; closed, and an OSError, if it ended with an errno."""
    number = errno.ETIMEDOUT
    try:
        with trio.move_on_after(PATIENCE):
            number = await reaching
    except BaseException:
        raw.close()
        raise
    if number:
        raw.close()
        raise os_error(number)
    return raw


async def _reach_tcp(raw: socket.socket, to: tuple[Any, ...]) -> int:
    """Connect; return the errno, 0 for none."""
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reset_on_close(raw)
    number = await reach(raw, to)
    if not number and is_own(raw.getsockname(), _peer(raw, to)):
        return errno.ECONNREFUSED
    return number


def _peer(raw: socket.socket, to: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return where a socket is connected to: not `to` itself if that is an unspecified address."""
    try:
        peer: tuple[Any, ...] = raw.getpeername()
    except OSError:  # reset meanwhile, which its reader will find
        return to
    return peer


async def _reach_unix(raw: socket.socket, name: bytes) -> int:
    """Connect, once there is room in the listener's queue; return the errno, 0 for none."""
    pause, most = RETRY
    while (number := raw.connect_ex(name)) == errno.EAGAIN:
        await trio.sleep(pause)
        pause = min(2 * pause, most)
    return number

"""The socket to which a port's connections are redirected: both families, and only what really was redirected.

It listens on all addresses, since redirected connections come in on all, so it can be reached directly as well; where a
connection was going before is known to the kernel alone. Which answers mean what is machine.py's, one level up.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable

import trio

from mirrord_agent.incoming.machine import is_mapped, plain, redirected
from mirrord_agent.log import Log
from mirrord_agent.sockets.driver import Sockets, from_system
from mirrord_protocol.network_values import Address
from mirrord_protocol.relay import reset_on_close

BACKLOG = 4096
SO_ORIGINAL_DST = 80  # IP6T_SO_ORIGINAL_DST too
_IPV4 = struct.Struct("!2xH4s8x")  # sockaddr_in
_IPV6 = struct.Struct("!2xH4x16s4x")  # sockaddr_in6, but for its scope, which is in the machine's own order
_SCOPE = struct.Struct("=I")
WAIT = 0.1
"""Seconds until the next try where the process or the machine has no descriptors left."""
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Arrived = tuple[socket.socket, Address, Address]
"""A connection, its client's address, and where it was going. Closed, or with this process, it is reset."""


class RedirectListener:
    """Where the connections of one port arrive."""

    def __init__(self, port: int, log: Log) -> None:
        """Listen in the network namespace that the process is in; `port` is the subscribed one. Raises OSError."""
        self._port = port
        self._log = log
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]

    async def run(self, accept: Callable[[Arrived], object]) -> None:
        """Call `accept` for each connection, until cancelled. It must not wait, and has to close the socket.

        Raises OSError (EINVAL) if somebody has ended the listening (SOCK_DESTROY).
        """
        while True:
            try:
                arrived = self._take()
            except OSError as error:
                if error.errno == errno.EINVAL:
                    raise
                if error.errno in _EXHAUSTED:
                    self._log("warning", "no connection can be accepted", port=self._port, reason=error.strerror)
                    await trio.sleep(WAIT)
                else:  # the client's: it is gone already
                    await trio.lowlevel.checkpoint()
                continue
            if arrived is None:
                await trio.lowlevel.wait_readable(self._socket)
            elif arrived:
                accept(arrived)
                await trio.lowlevel.checkpoint()

    def close(self) -> list[Arrived]:
        """Stop; return the connections that had come, but weren't accepted."""
        left: list[Arrived] = []
        try:
            while (arrived := self._take()) is not None:
                left += [arrived] if arrived else []
        except OSError:
            pass  # no descriptors: the kernel resets the rest
        self._socket.close()
        return left

    def _take(self) -> Arrived | tuple[()] | None:
        """Return the next connection, nothing if it wasn't redirected, None if there is none."""
        try:
            connection, peer = self._socket.accept()
        except BlockingIOError:
            return None
        connection.setblocking(False)
        client = from_system(self._socket.family, peer)
        assert isinstance(client, Address)
        original = original_destination(connection, client)
        if original is not None and redirected(original, self._port):
            return connection, plain(client), original
        self._log("info", "a connection that wasn't redirected was dropped", port=self._port)
        connection.close()
        return ()


def original_destination(connection: socket.socket, client: Address) -> Address | None:
    """Return where a connection was going before it was redirected; None if the kernel doesn't know."""
    try:
        if len(client.host) == 4 or is_mapped(client):
            port, host = _IPV4.unpack(connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, _IPV4.size))
            return Address(host, port)
        data = connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
    except OSError:
        return None
    port, host = _IPV6.unpack(data)
    return Address(host, port, _SCOPE.unpack_from(data, 24)[0])


def _listen(port: int) -> socket.socket:
    while True:
        listener = _bind()
        if listener.getsockname()[1] != port:
            listener.listen(BACKLOG)
            return listener
        listener.close()  # only where nobody in the target listens on it


def _bind() -> socket.socket:
    """Return a socket bound to all addresses: of both families, or of IPv4 where there is no other."""
    sockets = Sockets(marked=False)
    try:
        listener = sockets.open(socket.AF_INET6, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:
            raise
        listener = sockets.open(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        reset_on_close(listener)
        listener.bind(("", 0))
    except BaseException:
        listener.close()
        raise
    return listener

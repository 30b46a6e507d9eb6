"""Carries the datagrams of one UDP socket: what the session sends leaves from the target, and answers go back.

It is as lossy as the network: what doesn't fit into a queue is dropped, on the way in and on the way out.
"""

from __future__ import annotations

import socket
from collections import deque

import trio

from mirrord_agent.outgoing.machine import QUEUE, ends_socket
from mirrord_agent.sockets.driver import Sockets, family_of, from_system, to_system
from mirrord_protocol.connections import DatagramStream
from mirrord_protocol.failure import failure_of
from mirrord_protocol.network_values import NOWHERE, Address, Datagrams
from mirrord_protocol.server import Reply

MOST = 1 << 16
ANYWHERE: dict[int, tuple[str, int]] = {socket.AF_INET: ("0.0.0.0", 0), socket.AF_INET6: ("::", 0)}


async def carry(request: Datagrams, reply: Reply, sockets: Sockets) -> None:
    """Open a socket and carry its datagrams until the session closes it; an OSError says why there is none."""
    family = socket.AF_INET6 if request.ipv6 else family_of(request.to) if request.to.host else socket.AF_INET
    with sockets.open(family, socket.SOCK_DGRAM) as raw:
        if family == socket.AF_INET6:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if request.to.host:
            raw.connect(to_system(request.to, family))
        else:
            raw.bind(ANYWHERE[family])
        local = from_system(family, raw.getsockname())
        assert isinstance(local, Address)
        await _Socket(raw, reply.open_datagrams(local, request.to if request.to.host else NOWHERE)).run()


class _Socket:
    def __init__(self, raw: socket.socket, stream: DatagramStream) -> None:
        self._raw = raw
        self._family = raw.family
        self._stream = stream
        self._connected = bool(stream.peer.host)
        self._waiting: deque[tuple[Address, bytes | memoryview]] = deque(maxlen=QUEUE)
        self._writing = False
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._receive)
                self._stream.pour_into(self._take)
                await self._stream.wait_over()
                self._nursery.cancel_scope.cancel()
        finally:
            self._nursery = None
            self._stream.close()

    async def _receive(self) -> None:
        """Carry what comes to the socket; what there is no credit for is lost."""
        while True:
            await trio.lowlevel.wait_readable(self._raw)
            try:
                data, address = self._raw.recvfrom(MOST)
            except BlockingIOError:
                continue
            except OSError as error:
                self._look_at(error)
                continue
            sender = from_system(self._family, address)
            assert isinstance(sender, Address)
            self._stream.send(sender, data)

    def _take(self, address: Address, data: bytes | memoryview) -> None:
        """Send what came from the session, or let it wait for the socket."""
        if self._nursery is None:
            return
        if self._writing:
            self._waiting.append((address, bytes(data)))
        elif not self._send(address, data):
            self._waiting.append((address, bytes(data)))
            self._writing = True
            self._nursery.start_soon(self._send_waiting)

    async def _send_waiting(self) -> None:
        while self._waiting:
            await trio.lowlevel.wait_writable(self._raw)
            while self._waiting and self._send(*self._waiting[0]):
                self._waiting.popleft()
        self._writing = False

    def _send(self, address: Address, data: bytes | memoryview) -> bool:
        """Send one datagram; False if the socket takes none now."""
        try:
            if self._connected:
                self._raw.send(data)
            elif address.host and (self._family == socket.AF_INET6 or len(address.host) == 4):
                self._raw.sendto(data, to_system(address, self._family))
        except BlockingIOError:
            return False
        except OSError as error:
            self._look_at(error)
        return True

    def _look_at(self, error: OSError) -> None:
        """End the stream by an error that ends its socket; others are about one datagram, which is lost."""
        if ends_socket(error.errno or 0, connected=self._connected):
            self._stream.close(failure_of(error))

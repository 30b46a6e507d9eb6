"""Carries a redirected connection on to the target, both ways, and gives what the client says to a copy.

The target comes first in everything: its connection is made before anything is read, so servers that speak first may,
and bytes are offered to it before they are copied. What becomes of the copy is machine.py's.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable

import trio

from mirrord_agent.incoming.mirror.machine import Copy
from mirrord_agent.sockets.driver import Sockets, family_of, to_system
from mirrord_protocol.network_values import Address
from mirrord_protocol.relay import deliver_on_close, reset_on_close, wait_delivered

CHUNK = 1 << 16
IN_A_ROW = 16
"""Chunks of a connection that never waits, until others get their turn."""
LOOK = 1.0
"""Seconds after which a side that nothing is read from is looked at: it may have been reset. What it said before that and
nobody takes is given up."""
QUIET = 0.2
"""Seconds without a byte that make a quiet moment."""
Feed = Callable[[Copy], object]
"""Called when a copy begins to wait for room: who calls `flush` then."""


async def connect_onward(to: Address) -> socket.socket:
    """Connect to where a client wanted to go, past our own rules; closed, it is reset. Raises OSError."""
    family = family_of(to)
    onward = Sockets(marked=True).open(family, socket.SOCK_STREAM)
    try:
        reset_on_close(onward)
        # Not Trio's: it looks addresses up as if they were names, with modules that we may have no right to load by now.
        code = onward.connect_ex(to_system(to, family))
        if code == errno.EINPROGRESS:
            await trio.lowlevel.wait_writable(onward)
            code = onward.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        _check(code)
    except BaseException:
        onward.close()
        raise
    return onward


async def pump(
    client: socket.socket, target: socket.socket, copy: Copy | None, feed: Feed, leaving: trio.Event
) -> None:
    """Carry bytes both ways until both have ended; close both sockets.

    Ends and resets of one side become the other's. Once `leaving` is set, it ends well as soon as nothing is on its way
    and the target spoke last. If this is cancelled, or the process killed, both are reset.
    """
    await _Pump(client, target, copy, feed).run(leaving)


class _Pump:
    def __init__(self, client: socket.socket, target: socket.socket, copy: Copy | None, feed: Feed) -> None:
        self._client = client
        self._target = target
        self._copy = copy
        self._feed = feed
        self._ended = {client: trio.Event(), target: trio.Event()}
        self._moved = 0  # how often something was read
        self._asked = False  # the client spoke last: the target may owe an answer
        self._whole = True
        self._nursery: trio.Nursery | None = None

    async def run(self, leaving: trio.Event) -> None:
        both = (self._client, self._target)
        for each in both:
            reset_on_close(each)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._leave, leaving)
                async with trio.open_nursery() as directions:
                    directions.start_soon(self._carry, self._client, self._target, self._copy)
                    await self._carry(self._target, self._client, None)
                self._nursery.cancel_scope.cancel()
            if self._whole:
                for each in both:
                    deliver_on_close(each)
                if all(event.is_set() for event in self._ended.values()):
                    self._target.close()
                    await wait_delivered(self._client)
        finally:
            for each in both:
                each.close()
            if self._copy is not None:
                self._copy.cut()

    async def _leave(self, leaving: trio.Event) -> None:
        """End it at a quiet moment, after the time has come."""
        await leaving.wait()
        seen = -1
        while self._asked or seen != self._moved or any(map(_unsent, self._ended)):
            seen = self._moved
            await trio.sleep(QUIET)
        self._stop()

    def _stop(self) -> None:
        assert self._nursery
        self._nursery.cancel_scope.cancel()

    async def _carry(self, source: socket.socket, sink: socket.socket, copy: Copy | None) -> None:
        """Carry one direction to its end, and wait for that of the other; a break on either side ends all."""
        try:
            await self._carry_bytes(source, sink, copy)
            self._ended[source].set()
            while not self._ended[sink].is_set():
                with trio.move_on_after(LOOK):
                    await self._ended[sink].wait()
                _check(source.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except OSError:
            self._whole = False
            self._stop()

    async def _carry_bytes(self, source: socket.socket, sink: socket.socket, copy: Copy | None) -> None:
        row = 0
        while True:
            try:
                data = source.recv(CHUNK)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(source)
                row = 0
                continue
            if not data:
                break
            self._moved += 1
            self._asked = source is self._client
            sent = _send(sink, data)
            if copy is not None:
                self._put(copy, data)
            if sent < len(data):
                await self._send_rest(source, sink, memoryview(data)[sent:])
            row += 1
            if row == IN_A_ROW:
                await trio.lowlevel.checkpoint()
                row = 0
        if copy is not None:
            copy.end()
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # it is gone, which its own direction tells
            await trio.lowlevel.checkpoint()

    async def _send_rest(self, source: socket.socket, sink: socket.socket, data: memoryview) -> None:
        """Send what a socket didn't take at once."""
        while data:
            with trio.move_on_after(LOOK) as patience:
                await trio.lowlevel.wait_writable(sink)
            if patience.cancelled_caught:
                _check(source.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            data = data[_send(sink, data) :]

    def _put(self, copy: Copy, data: bytes) -> None:
        waited = copy.waiting
        copy.put(data)
        if copy.waiting and not waited:
            self._feed(copy)


def _unsent(each: socket.socket) -> int:
    """Return how many bytes the other side hasn't acknowledged."""
    count: int = struct.unpack("i", fcntl.ioctl(each, termios.TIOCOUTQ, bytes(4)))[0]
    return count


def _check(code: int) -> None:
    if code:
        raise OSError(code, os.strerror(code))


def _send(sink: socket.socket, data: bytes | memoryview) -> int:
    try:
        return sink.send(data)
    except BlockingIOError:
        return 0

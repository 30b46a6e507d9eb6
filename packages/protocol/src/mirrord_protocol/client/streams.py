"""A connection as a stream of Trio's, for tools that don't want to know of credit: `ConnectionStream`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import trio

from mirrord_protocol.connections import Connection, own

RECEIVE = 64 << 10


class ConnectionStream(trio.abc.HalfCloseableStream):
    """A connection from the target's network, or one that came to it, with the manners of `trio.SocketStream`.

    A bad end is trio.BrokenResourceError; `connection.failure` says why.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._chunks: deque[bytes | memoryview] = deque()
        self._ended = False
        self._closed = False
        self._came = trio.Event()
        self._sending = False
        self._sent_end = False
        connection.pour_into(self._take)
        connection.when_over(self._wake)

    def _take(self, chunks: Sequence[bytes | memoryview], end: bool) -> None:  # noqa: FBT001 - as a Sink is called
        if self._closed and chunks:
            self.connection.reset()  # as TCP does to those who speak to a closed socket
            return
        self._chunks.extend(map(own, chunks))
        self._ended |= end
        self._wake()

    def _wake(self) -> None:
        self._came.set()

    def _check(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        if failure := self.connection.failure:
            raise trio.BrokenResourceError(failure.text or failure.errno or failure.kind.name.lower())

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it, as there is credit."""
        await trio.lowlevel.checkpoint()
        self._check()
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        self._sending = True
        try:
            view = memoryview(bytes(data))
            while view:
                if room := self.connection.room():
                    self.connection.send(view[:room])
                    view = view[room:]
                else:
                    await self.connection.wait_for_room()
                    self._check()
        finally:
            self._sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Return when there is credit."""
        await trio.lowlevel.checkpoint()
        self._check()
        while not self.connection.room() and not self.connection.over:
            await self.connection.wait_for_room()
        self._check()

    async def send_eof(self) -> None:
        """End this direction."""
        await trio.lowlevel.checkpoint()
        self._check()
        self._end()

    def _end(self) -> None:
        if not self._sent_end:
            self._sent_end = True
            self.connection.send(b"", end=True)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return bytes that came, b"" at the end."""
        await trio.lowlevel.checkpoint()
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        while not self._chunks and not self._closed:
            if self._ended:
                return b""
            self._check()
            self._came = trio.Event()
            await self._came.wait()
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")
        chunk = self._chunks.popleft()
        limit = max_bytes or RECEIVE
        if len(chunk) > limit:
            self._chunks.appendleft(memoryview(chunk)[limit:])
            chunk = memoryview(chunk)[:limit]
        self.connection.took(len(chunk))
        return bytes(chunk)

    async def aclose(self) -> None:
        """Close it, as TCP's sockets are: well, unless something that came was never received, or comes later."""
        if not self._closed:
            self._closed = True
            if self._chunks:
                self.connection.reset()
            else:
                self._end()
            self._wake()
        await trio.lowlevel.checkpoint()

"""Carries a port-forward: a Trio stream to a port of a pod.

Nothing is read of the server while nobody takes what came: the kernel's buffers, and so the pod's, fill up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

from mirrord_cli.session.access import Access
from mirrord_cli.session.forward.machine import Came, Ended, Event, Forward, Turned, Unheard
from mirrord_cli.session.reaching.driver import PATIENCE, Connection, connect
from mirrord_cli.session.reaching.machine import ForwardFailed, Place, refused, unreachable

GOODBYE = 1.0
"""Seconds that the goodbye gets to leave."""


class ForwardStream(trio.abc.Stream):
    """Bytes to and from the port."""

    def __init__(self, connection: Connection, forward: Forward) -> None:
        self._connection = connection
        self._forward = forward
        self._came = deque[bytes]()
        self._over = False
        self.unheard = False
        """Nobody listens on the port, as the server told by now."""
        self.reason = ""
        """Why it is over, if it isn't the port's end."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send to the port."""
        if self._over:
            raise trio.BrokenResourceError(self.reason or "the port-forward has ended")
        self._forward.send(bytes(data))
        await self._connection.send(self._forward.pull())

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: what was sent has left, or `send_all` waits."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return bytes of the port; empty at its end."""
        while not self._came:
            if self._over:
                if self.reason:
                    raise trio.BrokenResourceError(self.reason)
                return b""
            data = await self._connection.receive()
            self.take(self._forward.receive(data))
            if answer := self._forward.pull():
                await self._connection.send(answer)
        piece = self._came.popleft()
        if max_bytes is not None and len(piece) > max_bytes:
            self._came.appendleft(piece[max_bytes:])
            piece = piece[:max_bytes]
        return piece

    async def aclose(self) -> None:
        """Say goodbye, if that is quick, and close."""
        self._over = True
        self._forward.close()
        with trio.move_on_after(GOODBYE) as brief, suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            brief.shield = True
            await self._connection.send(self._forward.pull())
        await self._connection.close()

    def take(self, events: list[Event]) -> None:
        """Note what happened."""
        pieces = [event.data for event in events if isinstance(event, Came)]
        if pieces:
            self._came.append(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        for event in events:
            match event:
                case Unheard():
                    self._over = self.unheard = True
                    self.reason = "nobody listens on the port"
                case Ended(reason):
                    self._over, self.reason = True, reason


@asynccontextmanager
async def open_forward(access: Access, namespace: str, pod: str, port: int) -> AsyncIterator[ForwardStream]:
    """Yield a stream to a port on the loopback of a pod's network; it is closed with the block.

    Whether somebody listens there shows later: `unheard`.

    Raises:
        ForwardFailed: The API server can't be reached, or refuses.
    """
    connection, place = await connect(access)
    stream: ForwardStream | None = None
    try:
        forward = Forward(place, access.headers, namespace, pod, port)
        with trio.move_on_after(PATIENCE):
            stream = await _open(connection, place, forward, pod)
        if stream is None:
            raise unreachable(place, f"no answer within {PATIENCE:g} seconds")
        yield stream
    finally:
        if stream is None:
            await connection.close()
        else:
            await stream.aclose()


async def _open(connection: Connection, place: Place, forward: Forward, pod: str) -> ForwardStream:
    try:
        await connection.send(forward.pull())
        while not (events := forward.receive(await connection.receive())):
            pass
    except trio.BrokenResourceError as error:
        raise unreachable(place, str(error.__cause__ or error)) from None
    match events[0]:
        case Turned(status, body):
            raise refused(status, body, f"connect to pod {pod}", "create pods/portforward")
        case Ended(reason):
            raise ForwardFailed("cluster", f"No port-forward to pod {pod}: {reason}.", "Start anew.")
    stream = ForwardStream(connection, forward)
    stream.take(events[1:])
    return stream

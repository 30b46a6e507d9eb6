"""Carries a port-forward: a Trio stream to a port of a pod.

Nothing is read of the server while nobody takes what came: the kernel's buffers, and so the pod's, fill up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

from mirrord_cli.session.access import Access
from mirrord_cli.session.forward.events import Came, Ended, Event, Turned, Unheard
from mirrord_cli.session.forward.machine import Forward
from mirrord_cli.session.reaching.driver import PATIENCE, connect
from mirrord_cli.session.reaching.machine import NEXT, ForwardFailed, refused, unreachable
from mirrord_cli.session.reaching.pipes.driver import Pipe
from mirrord_cli.session.reaching.reasons import CUT, Kind, Trouble
from mirrord_cli.session.reaching.securing.driver import trouble_of

PIECE = 256 << 10
"""Bytes that are put into messages, and these into TLS, at once."""
RIGHT = "get and create pods/portforward"
PAUSES = (0.1, 0.4)
"""Seconds before it is tried again where the server can't just now."""


class ForwardStream(trio.abc.Stream):
    """Bytes to and from the port."""

    def __init__(self, pipe: Pipe, forward: Forward) -> None:
        self._pipe = pipe
        self._forward = forward
        self._came = b""
        self._taken = 0
        """Bytes of those that were handed out."""
        self._over = False
        self._closed = False
        self.unheard = False
        """Nobody listens on the port, as the server told by now."""
        self.reason = ""
        """Why it is over, if it isn't the port's end."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send to the port. Raises trio.BrokenResourceError, also once the port has ended."""
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            self._check_open()
            if self._over:
                raise trio.BrokenResourceError(self.reason or "the port-forward has ended")
            self._forward.send(view[start : start + PIECE])
            await self._pipe.send(self._forward.pull())
        await trio.lowlevel.checkpoint_if_cancelled()

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: `send_all` waits until the kernel has all."""
        self._check_open()
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return bytes of the port; empty at its end."""
        self._check_open()
        while self._taken == len(self._came):
            if self._over:
                await trio.lowlevel.checkpoint()
                if self.reason:
                    raise trio.BrokenResourceError(self.reason)
                return b""
            self.take(self._forward.receive(await self._pipe.receive()))
            if answer := self._forward.pull():
                self._pipe.offer(answer)
        came, start = self._came, self._taken
        if start == 0 and (max_bytes is None or len(came) <= max_bytes):
            self._taken = len(came)
            return came
        piece = came[start : None if max_bytes is None else start + max_bytes]
        self._taken += len(piece)
        return piece

    async def aclose(self) -> None:
        """Say goodbye, as far as that needs no waiting, and close."""
        if not self._closed:
            self._closed = True
            self._forward.close()
            with suppress(trio.BrokenResourceError):
                self._pipe.offer(self._forward.pull())
        await self._pipe.close()

    def take(self, events: list[Event]) -> None:
        """Note what happened."""
        pieces = [event.data for event in events if isinstance(event, Came)]
        if pieces:
            self._came, self._taken = b"".join(pieces), 0
        for event in events:
            match event:
                case Unheard():
                    self._over = self.unheard = True
                    self.reason = "nobody listens on the port"
                case Ended(reason):
                    self._over, self.reason = True, reason

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError


@asynccontextmanager
async def open_forward(access: Access, namespace: str, pod: str, port: int) -> AsyncIterator[ForwardStream]:
    """Yield a stream to a port on the loopback of a pod's network; it is closed with the block.

    Whether somebody listens there shows later: `unheard`. What fails in passing is tried again, for a moment.

    Raises:
        ForwardFailed: The API server can't be reached, or refuses.
    """
    stream = await _open_patiently(access, namespace, pod, port)
    try:
        yield stream
    finally:
        await stream.aclose()


async def _open_patiently(access: Access, namespace: str, pod: str, port: int) -> ForwardStream:
    for pause in PAUSES:
        try:
            return await _open(access, namespace, pod, port)
        except ForwardFailed as error:
            if not error.passing:
                raise
        await trio.sleep(pause)
    return await _open(access, namespace, pod, port)


async def _open(access: Access, namespace: str, pod: str, port: int) -> ForwardStream:
    pipe, place = await connect(access)
    forward = Forward(place, access.headers, namespace, pod, port)
    try:
        with trio.fail_after(PATIENCE):
            await pipe.send(forward.pull())
            while not (events := forward.receive(await pipe.receive())):
                pass
            if first := forward.pull():  # in the websocket
                await pipe.send(first)
    except BaseException as error:
        await pipe.close()
        match error:
            case trio.TooSlowError():
                raise unreachable(Trouble(Kind.SILENT), access) from None
            case trio.BrokenResourceError():
                cause = error.__cause__
                raise unreachable(trouble_of(cause) if isinstance(cause, OSError) else CUT, access) from None
        raise
    stream = ForwardStream(pipe, forward)
    stream.take(events[1:])
    match events[0]:
        case Turned(status, body):
            await stream.aclose()
            raise refused(status, body, f"connect to pod {pod}", RIGHT)
        case Ended(reason):
            await stream.aclose()
            text = f"There is no connection to pod {pod} by the API server {access.server}: {reason}."
            raise ForwardFailed("cluster", text, NEXT, passing=True)
    return stream

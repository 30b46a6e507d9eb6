"""Carries a port-forward: Trio streams to a port of a pod, one at a time.

Nothing is read of the server while nobody takes what came: the kernel's buffers, and so the pod's, fill up.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from typing import Self

import trio

from mirrord_cli.session.access import Access
from mirrord_cli.session.forward.events import Accepted, Came, Ended, Event, Turned, Unheard
from mirrord_cli.session.forward.machine import Forward, Stage
from mirrord_cli.session.reaching.driver import PATIENCE, connect
from mirrord_cli.session.reaching.machine import NEXT, ForwardFailed, refused, unreachable
from mirrord_cli.session.reaching.pipes.driver import Pipe
from mirrord_cli.session.reaching.reasons import CUT, Kind, Trouble
from mirrord_cli.session.reaching.securing.driver import trouble_of

PIECE = 256 << 10
"""Bytes that are put into messages, and these into TLS, at once."""
QUIET = 0.02
"""Seconds after which a connection that the server has accepted is taken for one to which somebody listens. The error
comes in the same breath with the acceptance; where it is later for once, the way there has to be made anew."""
RIGHT = "get and create pods/portforward"


class ForwardStream(trio.abc.Stream):
    """Bytes to and from the port."""

    def __init__(self, pipe: Pipe, forward: Forward) -> None:
        self._pipe = pipe
        self._forward = forward
        self._came = b""
        self._taken = 0
        """Bytes of those that were handed out."""
        self._accepted = False
        self._over = False
        self._closed = False
        self._broken = False
        """Perhaps not all of what begins it was sent."""
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
            await self._receive()
        came, start = self._came, self._taken
        if start == 0 and (max_bytes is None or len(came) <= max_bytes):
            self._taken = len(came)
            return came
        piece = came[start : None if max_bytes is None else start + max_bytes]
        self._taken += len(piece)
        return piece

    async def aclose(self) -> None:
        """Close; the way there too, unless it can be of use again."""
        self._closed = True
        if self.reusable:
            await trio.lowlevel.checkpoint()
        else:
            await self.end()

    async def end(self) -> None:
        """Close it with the way there; say goodbye, as far as that needs no waiting."""
        self._closed = True
        self._forward.close()
        with suppress(trio.BrokenResourceError):
            self._pipe.offer(self._forward.pull())
        await self._pipe.close()

    @property
    def reusable(self) -> bool:
        """Whether nobody listened, and the way there can be taken once more."""
        return self._forward.stage is Stage.FREE and not self._broken

    async def again(self) -> ForwardStream:
        """Return another connection on the same way."""
        self._forward.again()
        stream = ForwardStream(self._pipe, self._forward)
        stream._broken = True
        try:
            await self._pipe.send(self._forward.pull())
        except trio.BrokenResourceError:
            stream.take(self._forward.receive(b""))
        else:
            stream._broken = False
        return stream

    async def settle(self) -> None:
        """Wait until the server has said that nobody listens, if it says so at once, as servers do.

        Nothing may be sent before where the way there is to be taken once more.
        """
        if not self._forward.accepts:
            return
        try:
            with trio.move_on_after(PATIENCE):
                while not (self._accepted or self._came or self._over):
                    await self._receive()
            with trio.move_on_after(QUIET):
                while not (self._came or self._over):
                    await self._receive()
        except trio.BrokenResourceError:
            self.take(self._forward.receive(b""))

    async def _receive(self) -> None:
        self.take(self._forward.receive(await self._pipe.receive()))
        if answer := self._forward.pull():
            with suppress(trio.BrokenResourceError):  # what came counts; the rest shows with what comes next
                self._pipe.offer(answer)

    def take(self, events: list[Event]) -> None:
        """Note what happened."""
        pieces = [event.data for event in events if isinstance(event, Came)]
        if pieces:
            self._came, self._taken = b"".join(pieces), 0
        for event in events:
            match event:
                case Accepted():
                    self._accepted = True
                case Unheard():
                    self._over = self.unheard = True
                    self.reason = "nobody listens on the port"
                case Ended(reason):
                    self._over, self.reason = True, reason

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError


class PodPort:
    """A port on the loopback of a pod's network, as the API server gives connections to it.

    The way there is kept for the next connection where nobody listened to one and the server has room for more: that
    takes one round trip instead of four.
    """

    def __init__(self, access: Access, namespace: str, pod: str, port: int) -> None:
        self._access, self._namespace, self._pod, self._port = access, namespace, pod, port
        self._stream: ForwardStream | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._stream is not None:
            await self._stream.end()

    @property
    def kept(self) -> bool:
        """Whether the next connection has its way there already."""
        return self._stream is not None and self._stream.reusable

    async def connect(self) -> ForwardStream:
        """Return a stream to the port, after the last one is closed.

        Whether nobody listens there mostly shows by then, else later: `unheard`.

        Raises:
            ForwardFailed: The API server can't be reached, or refuses, or what is behind it fails.
        """
        last = self._stream
        if last is not None and last.reusable:
            self._stream = await last.again()
        else:
            if last is not None:
                await last.end()
            self._stream = await self._open()
        await self._stream.settle()
        if (reason := self._stream.reason) and not self._stream.unheard:
            raise self._failed(reason)
        return self._stream

    async def _open(self) -> ForwardStream:
        access = self._access
        pipe, place = await connect(access)
        forward = Forward(place, access.headers, self._namespace, self._pod, self._port)
        async with AsyncExitStack() as unless_open:
            unless_open.push_async_callback(pipe.close)
            try:
                with trio.fail_after(PATIENCE):
                    await pipe.send(forward.pull())
                    while not (events := forward.receive(await pipe.receive())):
                        pass
                    if first := forward.pull():  # in the websocket
                        await pipe.send(first)
            except trio.TooSlowError:
                raise unreachable(Trouble(Kind.SILENT), access) from None
            except trio.BrokenResourceError as error:
                cause = error.__cause__
                raise unreachable(trouble_of(cause) if isinstance(cause, OSError) else CUT, access) from None
            unless_open.pop_all()
        stream = ForwardStream(pipe, forward)
        stream.take(events[1:])
        match events[0]:
            case Turned(status, body):
                await stream.end()
                raise refused(status, body, f"connect to pod {self._pod}", RIGHT)
            case Ended(reason):
                await stream.end()
                raise self._failed(reason)
        return stream

    def _failed(self, reason: str) -> ForwardFailed:
        text = f"There is no connection to pod {self._pod} by the API server {self._access.server}: {reason}."
        return ForwardFailed("cluster", text, NEXT, passing=True)

"""Waits on the loopback for the one session that this agent is for, and serves it.

Whoever reaches the port has no more than the hello's time and size, until the token was seen: then all others are
closed, and the port is.
"""

from __future__ import annotations

import errno
import math
import socket
from collections import deque
from collections.abc import Sequence

import trio

from mirrord_protocol.failure import RemoteError
from mirrord_protocol.server import Reply, Service, Until, serve
from mirrord_protocol.values import Failure, FailureKind, Hello, Request, Welcome

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
STRANGERS = 16
"""So many that haven't shown the token may be connected; the next one takes the place of the first."""
PATIENCE = 10.0
"""Seconds in which to show it."""
BACKLOG = 64
NOBODY = Failure(FailureKind.GONE, None, "no session came in time")
TAKEN = Failure(FailureKind.FORBIDDEN, None, "this agent serves its session already: start a new one")


def listen(port: int) -> list[socket.socket]:
    """Listen on the loopback of the network that we are in.

    Raises:
        OSError: The port is taken, or there is no loopback.
    """
    listeners = list[socket.socket]()
    failed: OSError | None = None
    for family, host in LOOPBACK:
        try:
            listeners.append(_listen(family, host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                for listener in listeners:
                    listener.close()
                raise
            failed = failed or error
    if not listeners and failed:
        raise failed
    return listeners


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def serve_first(
    listeners: Sequence[socket.socket], *, token_digest: bytes, service: Service, until: Until, patience: float
) -> Failure:
    """Serve the first session that shows the token, to its end; return why it ended.

    Args:
        listeners: From `listen`; they are closed when the session is there.
        token_digest: The SHA-256 of the token.
        service: What is done for it.
        until: As of `mirrord_protocol.server.serve`; ends the waiting too.
        patience: Seconds that it may take to come.
    """
    door = _Door(listeners, token_digest, service, until)
    return await door.run(patience)


class _Door:
    def __init__(self, listeners: Sequence[socket.socket], token_digest: bytes, service: Service, until: Until) -> None:
        self._listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in listeners]
        self._token_digest, self._service, self._until = token_digest, service, until
        self._strangers = deque[trio.CancelScope]()
        self._waiting = trio.CancelScope()
        """For the session; what is done until it is there."""
        self._taken = False
        self._ended = NOBODY

    async def run(self, patience: float) -> Failure:
        async with trio.open_nursery() as nursery:
            with self._waiting, trio.move_on_after(patience):
                async with trio.open_nursery() as accepting:
                    accepting.start_soon(self._end_waiting)
                    for listener in self._listeners:
                        accepting.start_soon(self._accept, listener, nursery)
            for listener in self._listeners:
                await listener.aclose()
            for stranger in self._strangers:
                stranger.cancel()
        return self._ended

    async def _end_waiting(self) -> None:
        self._ended = await self._until()
        self._waiting.cancel()

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:  # none left of something, for a moment
                if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                    raise
                await trio.sleep(0.1)
                continue
            while len(self._strangers) >= STRANGERS:
                self._strangers.popleft().cancel()
            scope = trio.CancelScope(deadline=trio.current_time() + PATIENCE)
            self._strangers.append(scope)
            nursery.start_soon(self._serve, stream, scope)

    async def _serve(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        first = _First(self, scope)
        with scope:
            ended = await serve(stream, token_digest=self._token_digest, service=first, until=self._until)
            if first.welcomed:
                self._ended = ended
        if scope in self._strangers:
            self._strangers.remove(scope)

    def take(self, scope: trio.CancelScope) -> bool:
        """Let a session in; False for all but the first."""
        if self._taken:
            return False
        self._taken = True
        scope.deadline = math.inf
        self._strangers.remove(scope)
        self._waiting.cancel()
        return True

    @property
    def service(self) -> Service:
        return self._service


class _First:
    """The service, for the first session with the token."""

    def __init__(self, door: _Door, scope: trio.CancelScope) -> None:
        self._door, self._scope = door, scope
        self.welcomed = False

    async def welcome(self, hello: Hello) -> Welcome:
        """Answer a hello with the right token."""
        if not self._door.take(self._scope):
            raise RemoteError(TAKEN)
        self.welcomed = True
        return await self._door.service.welcome(hello)

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        """Carry out one request."""
        await self._door.service.handle(request_id, request, reply)

    def closed(self, request_id: int) -> None:
        """Forget what a request left."""
        self._door.service.closed(request_id)

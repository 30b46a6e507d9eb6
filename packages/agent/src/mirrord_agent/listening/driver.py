"""Accepts whoever comes to the agent's port, and serves the first that shows the token. machine.py decides who that is.

The port was opened by ../starting/driver.py, in the network that the agent was started in.
"""

from __future__ import annotations

import errno
import math
import socket
from itertools import count

import trio

from mirrord_agent.listening.machine import ASIDE, LATE, PATIENCE, Door, nobody, worth_a_line
from mirrord_agent.listening.origins.driver import Origins
from mirrord_agent.listening.origins.machine import GONE
from mirrord_agent.log import Log
from mirrord_protocol.server import Service, Until, serve
from mirrord_protocol.values import Failure

PAUSE = 0.1
"""Seconds until the next try where there are no descriptors left."""
CALM = 0.02
"""Seconds between two connections once there is a session: however many come, they don't take its time."""
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


async def serve_first(
    listener: socket.socket,
    *,
    origins: Origins | None,
    token_digest: bytes,
    service: Service,
    until: Until,
    told_to_end: Until,
    patience: float,
    log: Log,
) -> Failure:
    """Serve the first session that shows the token, to its end; return why it ended. Closes the listener.

    Args:
        listener: Where sessions come.
        origins: Tells who made a connection, where that matters.
        token_digest: The SHA-256 of the token.
        service: What is done for the session.
        until: Ends the session, as of `mirrord_protocol.server.serve`.
        told_to_end: Ends the waiting for it.
        patience: Seconds that it may take to come.
        log: Where those who were sent away are logged.
    """
    return await _Listening(listener, origins, token_digest, service, until, log).run(told_to_end, patience)


class _Listening:
    def __init__(
        self,
        listener: socket.socket,
        origins: Origins | None,
        token_digest: bytes,
        service: Service,
        until: Until,
        log: Log,
    ) -> None:
        self._origins = origins
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
        self._token_digest, self._service, self._until, self._log = token_digest, service, until, log
        self._door = Door()
        self._scopes: dict[int, trio.CancelScope] = {}
        self._came = trio.Event()
        self._sent_away = self._aside = 0
        self._ended: Failure | None = None

    async def run(self, told_to_end: Until, patience: float) -> Failure:
        async with self._listener, trio.open_nursery() as nursery:
            nursery.start_soon(self._accept, nursery)
            nursery.start_soon(self._wait, told_to_end, patience, nursery.cancel_scope)
        assert self._ended
        return self._ended

    async def _wait(self, told_to_end: Until, patience: float, everything: trio.CancelScope) -> None:
        """End everything if the session doesn't come."""

        async def give_up() -> None:
            self._ended = await told_to_end()
            everything.cancel()

        with trio.move_on_after(patience) as waiting:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(give_up)
                await self._came.wait()
                nursery.cancel_scope.cancel()
        if waiting.cancelled_caught:
            self._ended = nobody(patience)
            everything.cancel()

    async def _accept(self, nursery: trio.Nursery) -> None:
        for number in count():
            stream = await self._next()
            scope = self._scopes[number] = trio.CancelScope(deadline=trio.current_time() + PATIENCE)
            self._send_away(self._door.knock(number))
            nursery.start_soon(self._serve, number, stream, scope, nursery.cancel_scope)
            if self._door.taken:
                await trio.sleep(CALM)

    def _send_away(self, number: int | None) -> None:
        if number is not None:
            self._scopes[number].cancel()

    async def _next(self) -> trio.SocketStream:
        while True:
            try:
                return await self._listener.accept()
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self._log("warning", "no connection can be accepted", reason=error.strerror)
                await trio.sleep(PAUSE)

    def _is_aside(self, stream: trio.SocketStream) -> bool:
        """Whether a process beside the target has come by the token, which was shown to it as it held the port."""
        if self._origins is None:
            return False
        try:
            ours, its = stream.socket.getsockname()[:2], stream.socket.getpeername()[:2]
            user = self._origins.stranger(ours, its)
            stream.socket.getpeername()  # it has not ended meanwhile, which would hide who it was
        except OSError as error:
            user, reason = GONE, str(error)
        else:
            reason = "it has gone" if user == GONE else f"its user is {user}"
        if user is None:
            return False
        self._aside += 1
        if worth_a_line(self._aside):
            self._log("warning", "the token was shown by a process beside the agent", reason=reason, count=self._aside)
        return True

    async def _serve(
        self, number: int, stream: trio.SocketStream, scope: trio.CancelScope, everything: trio.CancelScope
    ) -> None:
        mine = False

        def admit() -> Failure | None:
            nonlocal mine
            if not self._door.taken and self._is_aside(stream):
                return ASIDE
            failure = LATE if scope.cancel_called else self._door.admit(number)
            if failure is None:
                mine, scope.deadline = True, math.inf
                self._came.set()
            return failure

        ended: Failure | None = None
        with scope:
            async with stream:
                await trio.lowlevel.wait_readable(stream.socket)
                self._send_away(self._door.come(number))
                ended = await serve(
                    stream, token_digest=self._token_digest, service=self._service, until=self._until, admit=admit
                )
        self._door.leave(number)
        del self._scopes[number]
        if mine:
            self._ended = ended
            everything.cancel()
            return
        self._sent_away += 1
        if worth_a_line(self._sent_away):
            reason = ended.text if ended else "no token in time"
            self._log("info", "somebody was sent away", reason=reason, count=self._sent_away)

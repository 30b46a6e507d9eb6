"""A connection over a Trio stream: one task reads and never waits for anyone, one writes, one watches the time.

It decides nothing: bytes and the time go into the machine of connection.py, and actions go to whoever made the driver
(client, server.py).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import trio

from mirrord_protocol.connection import Action, Connection, Over
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.values import Failure, FailureKind

RECEIVE = 256 << 10
"""Bytes asked of the stream at once; a data frame's payload is a view into them."""
MOST_PIECES = 1000
"""The kernel takes no more at once."""
FLUSH = 2.0
"""Seconds that the last frames get to leave, and the other side's last frames to arrive."""


class Driver:
    """Carries one connection.

    Args:
        stream: What it goes over.
        connection: This side's end.
        act: Called with each action, in order; must not wait. The last one is Over.
        drained: Called with the ids of which bulk frames have left.
        settle: Called after the last of the actions that came at once.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        connection: Connection,
        act: Callable[[Action], None],
        drained: Callable[[set[int]], None] | None = None,
        settle: Callable[[], None] | None = None,
    ) -> None:
        self.failure: Failure | None = None
        """Why the connection is over."""
        self.refused = False
        self._stream = stream
        self._socket = stream.socket if isinstance(stream, trio.SocketStream) else None
        self._unsent: list[bytes | memoryview] = []  # of a batch that the socket has taken a part of
        self._broken: OSError | None = None
        self._connection = connection
        self._act = act
        self._drained = drained
        self._settle = settle
        self._over = trio.Event()
        self._flushed = trio.Event()
        self._work = trio.Event()
        self._sleep: trio.CancelScope | None = None  # of the writer, while it waits for work
        self._rest: trio.CancelScope | None = None  # of the watcher

    # ------------------------------------------------------------------------------------------ for the owner

    def wake(self) -> None:
        """Let the writer look again: something was given to the connection."""
        self._work.set()

    async def run(self) -> None:
        """Carry the connection until it is over; `failure` says why then. The stream is left open."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read)
            nursery.start_soon(self._write)
            nursery.start_soon(self._watch)
            await self._over.wait()
            with trio.move_on_after(FLUSH):
                await self._flushed.wait()
            nursery.cancel_scope.cancel()

    async def wait_over(self) -> None:
        """Return when the connection is over."""
        await self._over.wait()

    async def close(self, failure: Failure) -> None:
        """Say goodbye and wait, not for long, until it has left."""
        self._connection.say_goodbye(failure)
        self._end(failure)
        with trio.move_on_after(FLUSH):
            await self._flushed.wait()

    async def receive(self) -> list[Action]:
        """Wait for bytes and return what is to be done; `run` does this itself."""
        try:
            data: bytes | bytearray = await self._stream.receive_some(RECEIVE)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        return self.guard(lambda: self._connection.receive(bytes(data), trio.current_time()))

    def guard(self, step: Callable[[], list[Action]]) -> list[Action]:
        """Return a step's actions; a peer that breaks the protocol gets a goodbye, and the action is Over."""
        try:
            return step()
        except RemoteProtocolError as error:
            peer = self._connection.peer.name.lower()
            failure = Failure(FailureKind.PROTOCOL, None, f"the {peer} broke the protocol: {error}")
            self._connection.say_goodbye(failure)
            return [Over(failure)]

    async def flush(self) -> None:
        """Write what waits; for an owner that doesn't `run`. Raises trio.BrokenResourceError."""
        while pieces := self._connection.pull(trio.current_time()):
            await self._stream.send_all(b"".join(pieces))

    # ------------------------------------------------------------------------------------------ tasks

    def _end(self, failure: Failure) -> None:
        if self.failure is None:
            self.failure = failure
            self._over.set()
            self._act(Over(failure, self.refused))
        self.wake()

    def carry_out(self, actions: list[Action]) -> None:
        """Hand actions on, and note the end."""
        for action in actions:
            if isinstance(action, Over):
                self.refused = action.refused
                self._end(action.failure)
            else:
                self._act(action)
        if self._settle is not None:
            self._settle()

    async def _read(self) -> None:
        connection = self._connection
        while not connection.over:
            self.carry_out(await self.receive())
            if connection.wants_to_send(trio.current_time()):
                if self._socket is None or self._sleep is None or not self._write_at_once():
                    self.wake()
            elif self._sleep is not None and (connection.ack_at or math.inf) < self._sleep.deadline:
                self._sleep.deadline = connection.ack_at or math.inf
            if self._rest is not None and connection.deadline < self._rest.deadline:
                self._rest.deadline = connection.deadline

    async def _write(self) -> None:
        connection, stream = self._connection, self._stream
        try:
            while True:
                if self._work.is_set():
                    self._work = trio.Event()
                if self._socket is not None:
                    await self._write_all(self._socket)
                elif pieces := connection.pull(trio.current_time()):
                    await stream.send_all(b"".join(pieces))
                    self._tell_drained()
                    continue
                if connection.over:
                    break
                await self._wait_for_work()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            connection.lanes.clear()
            with trio.move_on_after(FLUSH):  # what they said last, and why, may still arrive
                await self._over.wait()
            connection.fall()
            self._end(Failure(FailureKind.GONE, None, f"the connection broke: {error.__cause__ or error}"))
        self._flushed.set()

    async def _write_all(self, socket: trio.socket.SocketType) -> None:
        while not self._write_at_once():
            if self._broken:
                raise trio.BrokenResourceError from self._broken
            await trio.lowlevel.wait_writable(socket)

    def _write_at_once(self) -> bool:
        """Write as much as the socket takes without waiting, piece by piece; whether nothing is left."""
        assert self._socket is not None
        try:
            while True:
                if not self._unsent:
                    self._unsent = self._connection.pull(trio.current_time())
                    self._tell_drained()
                    if not self._unsent:
                        return True
                sent = os.writev(self._socket.fileno(), self._unsent[:MOST_PIECES])
                self._unsent = _rest(self._unsent, sent)
        except BlockingIOError:
            pass
        except OSError as error:
            self._broken = error
        return False

    def _tell_drained(self) -> None:
        if self._drained and (drained := self._connection.lanes.take_drained()):
            self._drained(drained)

    async def _wait_for_work(self) -> None:
        with trio.CancelScope(deadline=self._connection.ack_at or math.inf) as self._sleep:
            await self._work.wait()
        self._sleep = None

    async def _watch(self) -> None:
        connection = self._connection
        while not connection.over:
            with trio.CancelScope(deadline=connection.deadline) as self._rest:
                await trio.sleep_forever()
            self.carry_out(connection.tick(trio.current_time()))
            if connection.wants_to_send(trio.current_time()):
                self.wake()


def _rest(pieces: list[bytes | memoryview], sent: int) -> list[bytes | memoryview]:
    """Return what is left of pieces of which so many bytes were sent."""
    for index, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[index + 1 :]]
        sent -= len(piece)
    return []

"""A connection over a Trio stream: one task reads and never waits for anyone, one writes, one watches the time.

It decides nothing: bytes and the time go into the machine of connection.py, and actions go to whoever made the driver
(client.py, server.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from mirrord_protocol.connection import Action, Connection, Over
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.values import Failure, FailureKind

RECEIVE = 256 << 10
"""Bytes asked of the stream at once; a data frame's payload is a view into them."""
FLUSH = 2.0
"""Seconds that the last frames get to leave, and the other side's last frames to arrive."""


class Driver:
    """Carries one connection; `act` is called with each action, in order, and must not wait. The last one is Over."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        connection: Connection,
        act: Callable[[Action], None],
        drained: Callable[[set[int]], None] | None = None,
    ) -> None:
        self.failure: Failure | None = None
        """Why the connection is over."""
        self.refused = False
        self._stream = stream
        self._connection = connection
        self._act = act
        self._drained = drained
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

    async def _read(self) -> None:
        connection = self._connection
        while not connection.over:
            self.carry_out(await self.receive())
            if connection.wants_to_send(trio.current_time()):
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
                pieces = connection.pull(trio.current_time())
                if pieces:
                    await stream.send_all(b"".join(pieces))
                    if self._drained and (drained := connection.lanes.take_drained()):
                        self._drained(drained)
                elif connection.over:
                    break
                else:
                    await self._wait_for_work()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            connection.lanes.clear()
            with trio.move_on_after(FLUSH):  # what they said last, and why, may still arrive
                await self._over.wait()
            connection.fall()
            self._end(Failure(FailureKind.GONE, None, f"the connection broke: {error.__cause__ or error}"))
        self._flushed.set()

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

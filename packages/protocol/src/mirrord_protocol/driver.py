"""A connection over a Trio stream: one task reads and never waits for anyone, one writes, one watches the time.

It decides nothing: bytes and the time go into the machine of connection.py, and actions go to whoever made the driver
(client, server.py).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import trio

from mirrord_protocol.actions import Action, Over
from mirrord_protocol.connection import Connection
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.values import Failure, FailureKind

RECEIVE = 256 << 10
"""Bytes asked of the stream at once where there are many; a data frame's payload is a view into them."""
RECEIVE_FEW = 64 << 10
"""Bytes asked of it where there were fewer the last time: memory for more costs more than a small read itself."""
MOST_PIECES = 1000
"""The kernel takes no more at once."""
BURST = 0.0001
"""Seconds after a write at once in which others are collected for the next."""
FLUSH = 2.0
"""Seconds that the last frames get to leave, and the other side's last frames to arrive."""


class Driver:
    """Carries one connection.

    Args:
        stream: What it goes over.
        connection: This side's end.
        act: Called with each action, in order; must not wait. The last one is Over.
        drained: Called with the ids of which bulk frames have left, or were dropped.
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
        self._wanted = RECEIVE_FEW
        self._unsent: list[bytes | memoryview] = []  # of a batch that the socket has taken a part of
        self._broken: OSError | None = None
        self._connection = connection
        self._act = act
        self._drained = drained
        self._settle = settle
        self._over = trio.Event()
        self._flushed = trio.Event()
        self._work = False
        self._writer: trio.lowlevel.Task | None = None  # while it waits for work
        self._pushed_at = -math.inf
        self._lease = connection.lease
        self._rest: trio.CancelScope | None = None  # of the watcher

    # ------------------------------------------------------------------------------------------ for the owner

    def wake(self) -> None:
        """Let the writer look again: something was given to the connection."""
        self._work = True
        if self._writer is not None:
            writer, self._writer = self._writer, None
            trio.lowlevel.reschedule(writer)

    def push(self) -> None:
        """As `wake`, but write at once, unless that was done a moment ago: then what comes now goes together."""
        if self._writer is not None and self._socket is not None:
            now = trio.current_time()
            if now - self._pushed_at > BURST:
                self._pushed_at = now
                if self._write_at_once(now):
                    return
        self.wake()

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
            data = await self._receive_some()
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            data = b""
        return self.guard(lambda: self._connection.receive(data, trio.current_time()))

    async def _receive_some(self) -> bytes:
        if self._socket is None:
            return bytes(await self._stream.receive_some(RECEIVE))
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                data = os.read(self._socket.fileno(), self._wanted)
            except BlockingIOError:
                continue
            self._wanted = RECEIVE if len(data) >= RECEIVE_FEW else RECEIVE_FEW
            return data

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
        self._tell_drained()

    async def _read(self) -> None:
        connection = self._connection
        while not connection.over:
            self.carry_out(await self.receive())
            if connection.wants_to_send(connection.now) and (
                self._socket is None or self._writer is None or not self._write_at_once(connection.now)
            ):
                self.wake()
            self._look_at_the_time()

    async def _write(self) -> None:
        connection, stream = self._connection, self._stream
        try:
            while True:
                self._work = False
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
        while not self._write_at_once(trio.current_time()):
            if self._broken:
                raise trio.BrokenResourceError from self._broken
            await trio.lowlevel.wait_writable(socket)

    def _write_at_once(self, now: float) -> bool:
        """Write as much as the socket takes without waiting, piece by piece; whether nothing is left."""
        assert self._socket is not None
        connection = self._connection
        try:
            while True:
                if not self._unsent:
                    self._unsent = connection.pull(now)
                    self._tell_drained()
                    if not self._unsent:
                        return True
                sent = os.writev(self._socket.fileno(), self._unsent[:MOST_PIECES])
                self._unsent = _rest(self._unsent, sent)
                if not self._unsent and not connection.wants_to_send(now):
                    return True
        except BlockingIOError:
            pass
        except OSError as error:
            self._broken = error
        return False

    def _tell_drained(self) -> None:
        if self._drained and (drained := self._connection.lanes.take_drained()):
            self._drained(drained)

    async def _wait_for_work(self) -> None:
        if self._work:
            return

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._writer = None
            return trio.lowlevel.Abort.SUCCEEDED

        self._writer = trio.lowlevel.current_task()
        self._look_at_the_time()
        await trio.lowlevel.wait_task_rescheduled(abort)

    @property
    def _deadline(self) -> float:
        """When the time is to be looked at even if nothing happens."""
        ack_at = self._connection.ack_at
        if ack_at is None or self._writer is None:  # a writer that is at work acknowledges anyway
            return self._connection.deadline
        return min(self._connection.deadline, ack_at)

    def _look_at_the_time(self) -> None:
        """Have the watcher wake up earlier, if there is a reason since it fell asleep."""
        connection = self._connection
        if connection.ack_at is None and connection.lease == self._lease:
            return  # as after most reads
        self._lease = connection.lease
        if self._rest is not None and (deadline := self._deadline) < self._rest.deadline:
            self._rest.deadline = deadline

    async def _watch(self) -> None:
        connection = self._connection
        while not connection.over:
            with trio.CancelScope(deadline=self._deadline) as self._rest:
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

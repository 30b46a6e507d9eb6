"""Joins a socket and a connection: bytes, half-closes and resets both ways, with back-pressure.

One task reads the socket. What comes from the connection is written at once by whoever reads that; only when the
socket is full does a second task wait for it. Used by the session for the program's sockets, by the agent for the
target's.
"""

from __future__ import annotations

import math
import os
import socket as sockets
import struct
from collections import deque
from collections.abc import Sequence

import trio

from mirrord_protocol.connections import Connection, own
from mirrord_protocol.failure import failure_of

RECEIVE = 64 << 10
"""Bytes asked of the socket at once ..."""
RECEIVE_MANY = 256 << 10
"""... and where there was as much the last time."""
MOST_PIECES = 1000
"""The kernel takes no more at once."""
PATIENCE = 1.0
"""Seconds without progress after which what a reset overtook is given up."""
TCP_CLOSE = 7
LOOK = (0.005, 0.25)
"""Seconds, at first and at most, until it is looked again whether all was delivered."""
_RESET_ON_CLOSE, _DELIVER_ON_CLOSE = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)  # struct linger


async def relay(socket: trio.socket.SocketType, connection: Connection, *, delivered: bool = False) -> None:
    """Carry bytes both ways until both directions have ended, or either side is reset; closes the socket.

    `delivered`: ended well, it returns only when the other side has all (see `wait_delivered`).
    What the connection's failure overtook is still written as long as the socket takes it, then the socket is reset,
    and likewise the other way round. Cancelled, it resets both. Raises nothing for what happens to either.
    """
    await _Relay(socket, connection, delivered=delivered).run()


def reset_on_close(socket: sockets.socket | trio.socket.SocketType) -> None:
    """Let a TCP socket's connection be reset when it is closed, also by this process's death (`SO_LINGER`, socket(7)).

    Half of a stream mustn't look like all of it. To be called before the socket connects or listens: the other side is
    connected before this process is told, which may be killed just then. Accepted sockets have it of their listener.
    """
    socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _RESET_ON_CLOSE)


def deliver_on_close(socket: sockets.socket | trio.socket.SocketType) -> None:
    """Let what was sent over a TCP socket arrive though it is closed, as without `reset_on_close`."""
    socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _DELIVER_ON_CLOSE)


async def wait_delivered(socket: sockets.socket | trio.socket.SocketType) -> None:
    """Return when the other side has acknowledged all that was sent over a TCP socket, and its end, or is gone.

    Both directions must have ended. For sockets whose packets need something of ours on their way, as a rule that
    translates addresses: what the kernel still has to send when that goes is lost.
    """
    pause, most = LOOK
    while socket.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, 1) != bytes([TCP_CLOSE]):
        await trio.sleep(pause)
        pause = min(2 * pause, most)


class _Relay:
    def __init__(self, socket: trio.socket.SocketType, connection: Connection, *, delivered: bool) -> None:
        self._socket = socket
        self._delivered = delivered
        self._fd = socket.fileno()
        self._connection = connection
        self._waiting: deque[bytes | memoryview] = deque()  # to be written
        self._ending = False  # the connection has ended its direction: shut down behind what waits
        self._finished = trio.Event()  # everything was written, and the end
        self._patience: trio.CancelScope | None = None  # of the task that waits for the socket
        self._failed = False
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        if self._socket.family != sockets.AF_UNIX:
            self._socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
            reset_on_close(self._socket)
        connection = self._connection
        complete = False
        try:
            async with trio.open_nursery() as self._nursery:
                connection.when_over(self._look_at_failure)
                connection.pour_into(self._take)
                await self._read()
                await self._finished.wait()
            complete = not self._failed and connection.failure is None
            if complete and self._delivered:
                deliver_on_close(self._socket)
                await wait_delivered(self._socket)
        finally:
            if complete:
                deliver_on_close(self._socket)
            else:
                connection.reset()
            self._socket.close()

    # ------------------------------------------------------------------------------------------ socket to connection

    async def _read(self) -> None:
        """Carry what the socket brings until its end."""
        connection, fd = self._connection, self._fd
        more = False  # there was more in the socket than was asked for
        while True:
            if more:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(fd)
            # Only now: all connections share some of the room, and others may have been faster.
            while (room := min(connection.room(), RECEIVE_MANY if more else RECEIVE)) <= 0:
                await connection.wait_for_room()
                if connection.over and not connection.mute:
                    return
            try:
                data = os.read(fd, room)
            except BlockingIOError:
                more = False
                continue
            except OSError as error:
                self._break(error)
                return
            more = len(data) == room
            connection.send(data, end=not data)
            if not data:
                return

    # ------------------------------------------------------------------------------------------ connection to socket

    def _take(self, chunks: Sequence[bytes | memoryview], end: bool) -> None:  # noqa: FBT001 - as a Sink is called
        """Write what came, as much as the socket takes now."""
        if self._failed:
            return
        self._ending |= end
        if self._waiting:
            self._waiting.extend(map(own, chunks))
            return
        rest = self._write(chunks)
        if rest:
            self._waiting.extend(map(own, rest))
            assert self._nursery is not None
            self._nursery.start_soon(self._write_waiting)

    def _write(self, chunks: Sequence[bytes | memoryview]) -> Sequence[bytes | memoryview]:
        """Write without waiting, and the end behind the last; return what is left."""
        written = 0
        try:
            while chunks:
                sent = os.writev(self._fd, chunks[:MOST_PIECES])
                written += sent
                chunks = _rest(chunks, sent)
        except BlockingIOError:
            pass
        except OSError as error:
            self._break(error)
            return ()
        if written:
            self._connection.took(written)
        if not chunks and self._ending:
            self._shut_down()
        return chunks

    async def _write_waiting(self) -> None:
        """Write what waits, whenever the socket takes it."""
        while self._waiting:
            with trio.CancelScope(deadline=self._deadline) as self._patience:
                await trio.lowlevel.wait_writable(self._fd)
            if self._patience.cancelled_caught:
                break
            self._waiting = deque(self._write(list(self._waiting)))
        self._patience = None
        if self._connection.failure:
            self._stop()

    @property
    def _deadline(self) -> float:
        return trio.current_time() + PATIENCE if self._connection.failure else math.inf

    def _shut_down(self) -> None:
        try:
            self._socket.shutdown(sockets.SHUT_WR)
        except OSError as error:  # ENOTCONN: it was reset
            self._break(error)
            return
        self._finished.set()

    # ------------------------------------------------------------------------------------------ bad ends

    def _look_at_failure(self) -> None:
        """Stop if the connection ended badly, but behind what still waits to be written."""
        if self._connection.failure is None:
            return
        if self._patience is not None:
            self._patience.deadline = self._deadline
        elif not self._waiting:
            self._stop()

    def _break(self, error: OSError) -> None:
        """Note that the socket is broken: the other side is told how."""
        self._failed = True
        self._waiting.clear()
        self._connection.reset(failure_of(error))
        self._stop()

    def _stop(self) -> None:
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()


def _rest(chunks: Sequence[bytes | memoryview], sent: int) -> Sequence[bytes | memoryview]:
    """Return what is left of chunks of which so many bytes were sent."""
    for index, chunk in enumerate(chunks):
        if sent < len(chunk):
            return [memoryview(chunk)[sent:], *chunks[index + 1 :]]
        sent -= len(chunk)
    return ()

"""The link's end: receives questions with their channels, sends answers, and knows whether programs still live.

Nothing here waits for a program: an answer that a channel can't take closes that channel, a packet that is no question
closes the connection that it came by (not the inherited link, which innocent processes share). What is answered is
../machine.py's business; the other end is packages/layer-unix/csrc/link.c.
"""

from __future__ import annotations

import array
import errno
import os
import select
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress

import trio

from mirrord_cli.session.publishing.driver import SharedMemory
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.layer_values import LayerRequest
from mirrord_protocol.messages import LAYER_REQUEST_SIZE, decode_layer_request

MOST = LAYER_REQUEST_SIZE + 4096
"""Bytes of a question: a path has less than PATH_MAX."""
ANCILLARY = socket.CMSG_SPACE(4 * array.array("i").itemsize)
BURST = 64
"""So many questions are taken from a connection before others have their turn."""
# As plain numbers: arithmetic with enumerations takes longer than the system calls.
FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
QUIET = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
CUT, CUT_RIGHTS = int(socket.MSG_TRUNC | socket.MSG_CTRUNC), int(socket.MSG_CTRUNC)
RIGHTS = (int(socket.SOL_SOCKET), int(socket.SCM_RIGHTS))
CHANNEL = (int(socket.AF_UNIX), int(socket.SOCK_SEQPACKET), 0)
PEER = struct.Struct("iII")
PATIENCE = 0.2
"""Seconds between two looks at the table's holders, once all links are closed."""
Asked = Callable[[int, LayerRequest, bytes], None]


class Links:
    """All ways by which programs ask.

    Args:
        asked: Called with each question: the number of its channel, the request, its payload. Must not wait.
        user: Only processes of this user may connect.
        most: So many questions may be unanswered at once; more wait in their sockets.
    """

    def __init__(self, asked: Asked, user: int, most: int) -> None:
        self._asked = asked
        self._user = user
        self._most = most
        self._channels: dict[int, socket.socket] = {}
        self._watched: set[int] = set()
        """Of those, the ones whose other end's close is waited for."""
        self._number = 0
        self._room = trio.lowlevel.ParkingLot()
        self._links = 0
        self._idle = trio.Event()
        self.questions = 0
        """How many were asked so far."""

    def close(self) -> None:
        """Close the channels that were not answered."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    # ------------------------------------------------------------------------------------------ receiving

    async def serve(self, link: socket.socket, *, inherited: bool) -> None:
        """Take questions from one connection until its other end is closed everywhere; closes it."""
        self._links += 1
        link.setblocking(False)
        try:
            with link:
                while True:
                    while len(self._channels) >= self._most:
                        await self._room.park()
                    await trio.lowlevel.wait_readable(link)
                    if not self._receive(link, inherited=inherited):
                        return
        finally:
            self._links -= 1
            if not self._links:
                self._idle.set()

    def _receive(self, link: socket.socket, *, inherited: bool) -> bool:
        """Take what has come; False: the connection is over."""
        for _ in range(min(BURST, self._most - len(self._channels))):
            try:
                data, ancillary, flags, _ = link.recvmsg(MOST, ANCILLARY, FLAGS)
            except BlockingIOError:
                return True
            except OSError:
                return False
            fds = _descriptors(ancillary)
            if not data and not fds and (not inherited or hung_up(link)):
                return False
            if not self._take(data, fds, flags) and not inherited:
                return False
        return True

    def _take(self, data: bytes, fds: Sequence[int], flags: int) -> bool:
        """Hand a packet on; False: it is no question."""
        if len(fds) == 1 and not flags & CUT:
            request, channel = _request(data), _socket(fds[0])
            if request is not None and channel is not None:
                self._number += 1
                self._channels[self._number] = channel
                self.questions += 1
                self._asked(self._number, request, data[LAYER_REQUEST_SIZE:])
                return True
            if channel is not None:
                channel.detach()
        for fd in fds:
            os.close(fd)
        # No descriptor was left for the channel: no fault of theirs.
        return bool(flags & CUT_RIGHTS)

    # ------------------------------------------------------------------------------------------ answering

    def answer(self, number: int, message: bytes, payload: bytes, descriptors: Sequence[int]) -> None:
        """Send an answer by its channel and close that; the descriptors stay ours to close."""
        channel = self._channels.pop(number)
        try:
            if descriptors:
                rights = [(*RIGHTS, array.array("i", descriptors))]
                channel.sendmsg([message, payload], rights, QUIET)
            else:
                channel.send(message + payload if payload else message, QUIET)
        except OSError:
            pass  # its process is gone, or it is none of a layer's
        finally:
            self._close(number, channel)

    async def wait_closed(self, number: int) -> None:
        """Return when the asker of a question has closed its channel, or when the question is answered."""
        channel = self._channels.get(number)
        if channel is None:
            return
        self._watched.add(number)
        try:
            await trio.lowlevel.wait_readable(channel)  # nothing is ever sent by it but its end
        except trio.ClosedResourceError:
            pass
        finally:
            self._watched.discard(number)

    def drop(self, number: int) -> None:
        """Close a channel without an answer: nobody waits for it any more."""
        if (channel := self._channels.pop(number, None)) is not None:
            self._close(number, channel)

    def _close(self, number: int, channel: socket.socket) -> None:
        if number in self._watched:
            trio.lowlevel.notify_closing(channel)
        channel.close()
        if len(self._channels) == self._most - 1:
            self._room.unpark_all()

    # ------------------------------------------------------------------------------------------ connections

    async def accept(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        """Take connections of processes that lost the link, until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                link = listener.accept()[0]
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ECONNABORTED}:
                    raise
                await trio.sleep(PATIENCE)  # others will end
                continue
            _, user, _ = PEER.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
            if user == self._user:
                nursery.start_soon(self._serve_accepted, link)
            else:
                link.close()

    async def _serve_accepted(self, link: socket.socket) -> None:
        await self.serve(link, inherited=False)

    async def wait_unused(self, table: SharedMemory) -> None:
        """Return when no program is left: no connection, and nobody who has the shared table open or mapped.

        A program may have closed its link by a direct system call, and come back by the abstract socket much later.
        """
        while True:
            if self._links:
                self._idle = trio.Event()
                await self._idle.wait()
            elif table.is_used():
                await trio.sleep(PATIENCE)
            else:
                return


def hung_up(link: socket.socket | int) -> bool:
    """Whether the other end of a connection is closed everywhere."""
    poll = select.poll()
    poll.register(link, select.POLLRDHUP)
    return bool(poll.poll(0))


def _request(data: bytes) -> LayerRequest | None:
    try:
        request = decode_layer_request(data[:LAYER_REQUEST_SIZE])
    except RemoteProtocolError:
        return None
    return request if request.payload == len(data) - LAYER_REQUEST_SIZE else None


def _socket(fd: int) -> socket.socket | None:
    try:
        return socket.socket(*CHANNEL, fd)
    except OSError:
        return None


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == RIGHTS:
            with suppress(ValueError):
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return fds.tolist()

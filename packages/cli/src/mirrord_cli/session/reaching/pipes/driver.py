"""Pipes: bytes to a server and from it, as they are or by TLS, which may lie in another TLS (an `https://` proxy).

TLS goes through memory (ssl.MemoryBIO), many records at a time: trio.SSLStream takes one at a time. Nothing is read of
the socket but for whoever receives, so a slow one holds the server up, and no one else.
"""

from __future__ import annotations

import os
import ssl
from collections import deque
from typing import Protocol

import trio

RECEIVE = 256 << 10
"""Bytes asked of a socket at once."""
MOST_PIECES = 64


class Pipe(Protocol):
    """One task sends, one receives; both raise trio.BrokenResourceError once it is broken."""

    async def receive(self) -> bytes:
        """Return what came; empty at the end."""

    async def send(self, data: bytes) -> None:
        """Send, and wait until the kernel has it all."""

    def offer(self, data: bytes) -> None:
        """Send without waiting: what the kernel doesn't take now goes with what is sent next. For a few bytes."""

    async def close(self) -> None:
        """Let go of it."""


class SocketPipe:
    """Bytes as they are. Takes the stream over."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._socket = stream.socket
        self._unsent = deque[bytes | memoryview]()
        self._sending = trio.Lock()

    async def receive(self) -> bytes:
        """Return what came; empty at the end."""
        while True:
            try:
                await trio.lowlevel.wait_readable(self._socket)
                return os.read(self._socket.fileno(), RECEIVE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError from error

    async def send(self, data: bytes) -> None:
        """Send, and wait until the kernel has it all."""
        self._unsent.append(data)
        async with self._sending:
            while not self._write():
                await trio.lowlevel.wait_writable(self._socket)

    def offer(self, data: bytes) -> None:
        """Send without waiting."""
        self._unsent.append(data)
        if not self._sending.locked():
            self._write()

    async def close(self) -> None:
        """Let go of it."""
        await trio.aclose_forcefully(self._stream)

    def _write(self) -> bool:
        """Write what the kernel takes; whether nothing is left."""
        unsent = self._unsent
        while unsent:
            try:
                sent = os.writev(self._socket.fileno(), [unsent[n] for n in range(min(len(unsent), MOST_PIECES))])
            except BlockingIOError:
                return False
            except OSError as error:
                raise trio.BrokenResourceError from error
            while unsent and sent >= len(unsent[0]):
                sent -= len(unsent.popleft())
            if sent:
                unsent[0] = memoryview(unsent[0])[sent:]
        return True


class TlsPipe:
    """Bytes by TLS, over another pipe, which it takes over."""

    def __init__(self, below: Pipe, context: ssl.SSLContext, name: str) -> None:
        self._below = below
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._goes, server_hostname=name)
        self._ended = False

    async def shake_hands(self) -> None:
        """Do TLS's handshake, before anything else. Raises ssl.SSLError too."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._below.send(self._goes.read())
                await self._take()
            except ssl.SSLError:
                self._below.offer(self._goes.read())  # the alert: why we go
                raise
            else:
                break
        await self._below.send(self._goes.read())

    async def receive(self) -> bytes:
        """Return what came; empty at the end."""
        while not self._ended:
            pieces = list[bytes]()
            try:
                while piece := self._tls.read(RECEIVE):
                    pieces.append(piece)
                self._ended = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:  # an end that wasn't announced, or garbage
                raise trio.BrokenResourceError from error
            if self._goes.pending:  # an answer of TLS's own
                self._below.offer(self._goes.read())
            if pieces:
                return b"".join(pieces)
            if not self._ended:
                await self._take()
        await trio.lowlevel.checkpoint()
        return b""

    async def send(self, data: bytes) -> None:
        """Send, and wait until the kernel has it all."""
        await self._below.send(self._secured(data))

    def offer(self, data: bytes) -> None:
        """Send without waiting."""
        self._below.offer(self._secured(data))

    async def close(self) -> None:
        """Let go of it."""
        await self._below.close()

    def _secured(self, data: bytes) -> bytes:
        if data:  # OpenSSL takes no empty record
            try:
                self._tls.write(data)
            except ssl.SSLError as error:
                raise trio.BrokenResourceError from error
        return self._goes.read()

    async def _take(self) -> None:
        if data := await self._below.receive():
            self._came.write(data)
        else:
            self._came.write_eof()

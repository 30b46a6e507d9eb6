"""Servers for the peer of a target, on listeners of `network`: echo, HTTP, a banner, resets, datagrams, names.

They run in this process, on Trio in a thread of their own, so that a test sees what they saw. `zone` says what the
names' server knows.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import trio

from tests.kit import zone

Handler = Callable[[trio.SocketStream], Awaitable[None]]
NO_LINGER = struct.pack("ii", 1, 0)


async def echo(stream: trio.SocketStream) -> None:
    """Give back what comes, and end when it ends."""
    async for data in stream:
        await stream.send_all(data)
    await stream.send_eof()


async def banner(stream: trio.SocketStream) -> None:
    """Speak first."""
    await stream.send_all(b"220 peer ready\r\n")
    await echo(stream)


async def total(stream: trio.SocketStream) -> None:
    """Answer with the number of bytes once the other side has ended, which needs a half-close."""
    size = 0
    async for data in stream:
        size += len(data)
    await stream.send_all(b"%d bytes" % size)


async def reset(stream: trio.SocketStream) -> None:
    """Take something, answer, then reset."""
    await stream.receive_some()
    await stream.send_all(b"soon gone")
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)


async def silent(stream: trio.SocketStream) -> None:
    """Take everything and say nothing."""
    async for _ in stream:
        pass


async def http(stream: trio.SocketStream) -> None:
    """Answer each request with who asked, which path, and how many bytes of a body came."""
    peer = stream.socket.getpeername()[0]
    buffer = bytearray()
    while True:
        head, found, rest = bytes(buffer).partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if not found or len(rest) < length:
            data = await stream.receive_some()
            if not data:
                return
            buffer += data
            continue
        del buffer[: len(head) + 4 + length]
        body = f"peer, to {peer}, {head.split()[1].decode()}, {length} bytes\n".encode()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def download(size: int) -> Handler:
    """Send so many bytes, whatever comes, and end."""

    async def handler(stream: trio.SocketStream) -> None:
        block, left = bytes(range(256)) * 1024, size
        while left:
            await stream.send_all(block[:left])
            left -= min(left, len(block))

    return handler


class Services:
    """The servers, running until the block ends."""

    def __init__(self) -> None:
        self.questions: queue.SimpleQueue[tuple[str, str, str]] = queue.SimpleQueue()
        """What the names' server was asked: name, type, `udp` or `tcp`."""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._run,))

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            self._ready.set()
            await trio.sleep_forever()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._token.run_sync_soon(self._nursery.cancel_scope.cancel)
        self._thread.join()

    def serve(self, listener: socket.socket, handler: Handler) -> None:
        """Serve what comes to a listener; it is the services' from now on."""

        async def handle(stream: trio.SocketStream) -> None:
            async with stream:
                with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                    await handler(stream)

        async def run() -> None:
            await trio.serve_listeners(handle, [trio.SocketListener(trio.socket.from_stdlib_socket(listener))])

        listener.setblocking(False)
        self._start(run)

    def serve_datagrams(self, sock: socket.socket, label: bytes = b"") -> None:
        """Give each datagram back, with a label before it."""

        async def run() -> None:
            with trio.socket.from_stdlib_socket(sock) as mine:
                while True:
                    data, address = await mine.recvfrom(65536)
                    await mine.sendto(label + data, address)

        self._start(run)

    def serve_names(self, listener: socket.socket, sock: socket.socket) -> None:
        """Answer DNS questions over TCP and UDP."""

        async def over_udp() -> None:
            with trio.socket.from_stdlib_socket(sock) as mine:
                async with trio.open_nursery() as nursery:
                    while True:
                        data, address = await mine.recvfrom(65536)
                        nursery.start_soon(answer_to, mine, data, address)

        async def answer_to(mine: trio.socket.SocketType, data: bytes, address: tuple[str, int]) -> None:
            if answer := await self._answer(data, "udp"):
                await mine.sendto(answer, address)

        async def over_tcp(stream: trio.SocketStream) -> None:
            async for data in messages(stream):
                if answer := await self._answer(data, "tcp"):
                    await stream.send_all(struct.pack("!H", len(answer)) + answer)

        self._pairs = zone.Pairs()
        self.serve(listener, over_tcp)
        self._start(over_udp)

    async def _answer(self, data: bytes, transport: str) -> bytes | None:
        question = dns.message.from_wire(data)
        self.questions.put(zone.describe(question, transport))
        name = zone.name_of(question)
        if name in zone.SILENT:
            return None
        if name in zone.TOGETHER:
            await self._pairs.wait(question)
        answer = zone.answer(question)
        size = max(512, question.payload) if transport == "udp" else 65535
        wire = zone.to_wire(answer)
        if len(wire) <= size and not (transport == "udp" and name in zone.TRUNCATED):
            return wire
        short = dns.message.make_response(question)
        short.flags |= dns.flags.AA | dns.flags.TC
        return short.to_wire()

    def asked(self) -> list[tuple[str, str, str]]:
        """What was asked since the last look."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self.questions.get_nowait())
        return found

    def _start(self, run: Callable[[], Awaitable[None]]) -> None:
        self._token.run_sync_soon(self._nursery.start_soon, run)


async def messages(stream: trio.SocketStream) -> AsyncIterator[bytes]:
    """The DNS messages of a TCP connection."""
    buffer = bytearray()
    async for data in stream:
        buffer += data
        while len(buffer) >= 2 and len(buffer) >= 2 + int.from_bytes(buffer[:2], "big"):
            size = int.from_bytes(buffer[:2], "big")
            yield bytes(buffer[2 : 2 + size])
            del buffer[: 2 + size]

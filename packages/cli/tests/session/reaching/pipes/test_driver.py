"""Pipes over real sockets: big and small, slow readers, ends announced and not, TLS in TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from certificates import Authority
from mirrord_cli.session.access import Access
from mirrord_cli.session.reaching.pipes.driver import Pipe, SocketPipe, TlsPipe
from mirrord_cli.session.reaching.securing.driver import tls_context
from streams import exactly

AUTHORITY = Authority()
BIG = bytes(range(256)) * (8 << 12)  # 8 MiB
KINDS = pytest.mark.parametrize("layers", [0, 1, 2], ids=["plain", "tls", "tls in tls"])


def streams() -> tuple[trio.SocketStream, trio.SocketStream]:
    one, other = socket.socketpair()
    return trio.SocketStream(trio.socket.from_stdlib_socket(one)), trio.SocketStream(
        trio.socket.from_stdlib_socket(other)
    )


@asynccontextmanager
async def pair(layers: int) -> AsyncIterator[tuple[Pipe, trio.abc.Stream]]:
    """Our pipe, and the other end by Trio's own means."""
    ours, theirs = streams()
    pipe: Pipe = SocketPipe(ours)
    stream: trio.abc.Stream = theirs
    context = tls_context(Access(server="https://127.0.0.1", authorities=AUTHORITY.pem))
    assert context is not None
    for _ in range(layers):
        stream = trio.SSLStream(stream, AUTHORITY.server(), server_side=True)
        secured = TlsPipe(pipe, context, "127.0.0.1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.do_handshake)
            await secured.shake_hands()
        pipe = secured
    try:
        yield pipe, stream
    finally:
        await pipe.close()
        await trio.aclose_forcefully(stream)


async def receive(pipe: Pipe, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await pipe.receive()
        assert piece
        data += piece
    return data


@KINDS
def test_bytes_both_ways_at_once(layers: int) -> None:
    async def main() -> None:
        async with pair(layers) as (pipe, stream), trio.open_nursery() as nursery:
            nursery.start_soon(pipe.send, BIG)
            nursery.start_soon(stream.send_all, BIG[::-1])
            came = list[bytes]()

            async def their_side() -> None:
                came.append(await exactly(stream, len(BIG)))

            nursery.start_soon(their_side)
            assert await receive(pipe, len(BIG)) == BIG[::-1]
        assert came == [BIG]

    trio.run(main)


@KINDS
def test_a_slow_reader_holds_up_who_sends(layers: int) -> None:
    async def main() -> None:
        async with pair(layers) as (pipe, stream), trio.open_nursery() as nursery:
            sent = trio.Event()

            async def send() -> None:
                await pipe.send(BIG)
                sent.set()

            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert not sent.is_set()
            assert await exactly(stream, len(BIG)) == BIG
            await sent.wait()

    trio.run(main)


@KINDS
def test_what_is_offered_keeps_its_place(layers: int) -> None:
    async def main() -> None:
        async with pair(layers) as (pipe, stream), trio.open_nursery() as nursery:
            nursery.start_soon(pipe.send, BIG)
            await trio.testing.wait_all_tasks_blocked(0.05)
            pipe.offer(b"offered")
            nursery.start_soon(pipe.send, b"later")
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert await exactly(stream, len(BIG) + 12) == BIG + b"offeredlater"
            pipe.offer(b"alone")
            assert await exactly(stream, 5) == b"alone"

    trio.run(main)


@KINDS
def test_an_end(layers: int) -> None:
    async def main() -> None:
        async with pair(layers) as (pipe, stream):
            await stream.send_all(b"last")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.aclose)
                assert await receive(pipe, 4) == b"last"
                assert await pipe.receive() == b""
                assert await pipe.receive() == b""

    trio.run(main)


@pytest.mark.parametrize("layers", [1, 2])
def test_an_end_that_was_not_announced_is_none(layers: int) -> None:
    async def main() -> None:
        async with pair(layers) as (pipe, stream):
            await trio.aclose_forcefully(stream)
            with pytest.raises(trio.BrokenResourceError) as caught:
                await pipe.receive()
            assert isinstance(caught.value.__cause__, ssl.SSLError)

    trio.run(main)


def test_a_peer_that_is_gone() -> None:
    async def main() -> None:
        async with pair(0) as (pipe, stream):
            await pipe.send(b"not read: so its end is a reset")
            await trio.aclose_forcefully(stream)
            with pytest.raises(trio.BrokenResourceError):
                await pipe.send(b"x")
            with pytest.raises(trio.BrokenResourceError):
                pipe.offer(b"x")
            with pytest.raises(trio.BrokenResourceError):
                await pipe.receive()

    trio.run(main)


def test_garbage_in_place_of_tls() -> None:
    async def main() -> None:
        ours, theirs = streams()
        context = tls_context(Access(server="https://a"))
        assert context is not None
        pipe = TlsPipe(SocketPipe(ours), context, "a")
        await theirs.send_all(b"220 mail.test\r\n")
        with pytest.raises(ssl.SSLError):
            await pipe.shake_hands()
        await pipe.close()
        await theirs.aclose()

    trio.run(main)


def test_nothing_is_nothing() -> None:
    async def main() -> None:
        async with pair(1) as (pipe, stream):
            await pipe.send(b"")
            await pipe.send(b"x")
            assert await exactly(stream, 1) == b"x"

    trio.run(main)

"""What a tool gets from `mirrord_protocol` itself: its names, and the convenient methods of the client."""

from __future__ import annotations

import subprocess
import sys

import pytest
import trio

import mirrord_protocol
from mirrord_protocol import ConnectionLost, ConnectionStream, RemoteError, SubscribeMode
from mirrord_protocol.client import Client, driver
from mirrord_protocol.connections import Connection
from mirrord_protocol.server import Reply
from mirrord_protocol.values import Form, Opened, Request
from protocol_network import Accepted, NetworkService, echo, listen, loopback, network, receive_all
from protocol_samples import ENTRIES, FAILURE, STAT
from protocol_service import Service, connected, socket_streams

BIG = bytes(range(256)) * 40_000


def test_each_name_is_there_and_loaded_late() -> None:
    for name in mirrord_protocol.__all__:
        assert getattr(mirrord_protocol, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mirrord_protocol.nothing
    code = "import mirrord_protocol, sys; sys.exit('trio' in sys.modules or 'capnp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ---------------------------------------------------------------------------------------------- files


async def special(request_id: int, request: Request, reply: Reply) -> None:
    if getattr(request, "path", b"") == b"/folder":
        reply.answer(Opened(STAT, Form.DIRECTORY, complete=False))
        return
    reply.answer(Opened(STAT, Form.STREAM, complete=False))
    await reply.send(b"one ")
    await reply.send(b"two")


@pytest.mark.parametrize("piece", [1_000_000, len(BIG), 4 << 20])
def test_files(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PIECE", piece)
    service = Service({b"/small": b"s", b"/empty": b"", b"/big": BIG})
    service.special |= {b"/folder": special, b"/fifo": special}

    async def run() -> None:
        async with connected(service, socket_streams()) as (client, _):
            assert await client.read_file(b"/small") == b"s"
            assert await client.read_file(b"/empty") == b""
            assert await client.read_file(b"/big") == BIG[: len(BIG)]
            assert await client.read_file(b"/fifo") == b"one two"
            for path, name in ((b"/none", "ENOENT"), (b"/folder", "EISDIR")):
                with pytest.raises(RemoteError) as caught:
                    await client.read_file(path)
                assert caught.value.failure.errno == name
            assert await client.listdir(b"/d") == ENTRIES[2:]
            assert client.environment == {}

    trio.run(run)
    assert service.handles == {}


# ---------------------------------------------------------------------------------------------- streams


def test_a_stream_of_trios() -> None:
    async def run() -> None:
        async with network() as (client, _, nursery):
            to = await listen(nursery, echo)
            async with await client.connect_stream(to) as stream:
                await stream.wait_send_all_might_not_block()
                sent = bytearray(b"hello" * 400_000)
                nursery.start_soon(stream.send_all, sent)
                assert await stream.receive_some(3) == b"hel"
                received = 3
                while received < len(sent):
                    received += len(await stream.receive_some())
                await stream.send_eof()
                assert await stream.receive_some() == b""
                assert await stream.receive_some() == b""
            assert (stream.connection.over, stream.connection.failure) == (True, None)
            for call in (stream.receive_some, stream.send_eof, stream.wait_send_all_might_not_block):
                with pytest.raises(trio.ClosedResourceError):
                    await call()

    trio.run(run)


async def pair(client: Client, service: NetworkService) -> tuple[ConnectionStream, Connection]:
    accepted = Accepted()
    await client.subscribe(80, SubscribeMode.STEAL, accepted)
    there = service.subscribed[0].incoming(loopback(5), loopback(80))
    return ConnectionStream(await accepted.take()), there


def test_a_stream_that_breaks() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            stream, there = await pair(client, service)
            there.send(b"first")
            there.reset(FAILURE)
            assert await stream.receive_some() == b"first"
            for call in (stream.receive_some, stream.send_eof, stream.wait_send_all_might_not_block):
                with pytest.raises(trio.BrokenResourceError, match="No such file"):
                    await call()

    trio.run(run)


def test_closing_a_stream_with_something_unread_resets_it() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            stream, there = await pair(client, service)
            there.send(b"unread")
            while not stream._chunks:
                await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()
            await there.wait_over()
            assert there.failure

    trio.run(run)


def test_what_comes_after_the_close_is_answered_by_a_reset() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            stream, there = await pair(client, service)
            await stream.aclose()
            await stream.aclose()
            there.send(b"late")
            await there.wait_over()
            assert there.failure

    trio.run(run)


def test_one_task_sends_at_a_time() -> None:
    async def run() -> None:
        async with network() as (client, service, nursery):
            stream, _there = await pair(client, service)
            nursery.start_soon(stream.send_all, bytes(8 << 20))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await stream.send_all(b"x")
            with pytest.raises(ValueError, match="max_bytes"):
                await stream.receive_some(0)
            nursery.cancel_scope.cancel()

    trio.run(run)


def test_connections_that_come_one_after_the_other() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            async with client.incoming(80, SubscribeMode.STEAL) as connections:
                peers = [service.come(service.subscribed[0]) for _ in range(3)]
                for peer in peers:
                    await peer.send_all(b"x")
                    async with await anext(connections) as stream:
                        assert await stream.receive_some() == b"x"
                        await stream.send_all(b"y")
                        await stream.send_eof()
                        assert await receive_all(peer) == b"y"
                        await peer.send_eof()
                        assert await stream.receive_some() == b""
            late = service.subscribed[0].incoming(loopback(1), loopback(80))
            await late.wait_over()

    trio.run(run)


def test_a_subscription_that_ends_badly_ends_the_iterator() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            with pytest.raises(RemoteError):
                await one(client, service, lose=False)
            with pytest.raises(ConnectionLost):
                await one(client, service, lose=True)

    async def one(client: Client, service: NetworkService, *, lose: bool) -> None:
        try:
            async with client.incoming(80, SubscribeMode.MIRROR) as connections:
                if lose:
                    client._session.driver._stream.socket.close()  # type: ignore[attr-defined]
                else:
                    service.subscribed[0].fail(FAILURE)
                await anext(connections)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    trio.run(run)

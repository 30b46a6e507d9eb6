"""Connections and datagrams as both ends use them: rooms, sinks, credit, ends; and the client's network methods."""

from __future__ import annotations

import errno
import socket as sockets
from collections.abc import Sequence

import pytest
import trio
import trio.testing

from mirrord_protocol.client import ConnectionLost, RemoteError
from mirrord_protocol.connections import Connection, own
from mirrord_protocol.failure import LocalProtocolError
from mirrord_protocol.lanes import QUEUE
from mirrord_protocol.network_values import NOWHERE, Address, NameOutcome, Resolved, SubscribeMode
from mirrord_protocol.server import Reply
from mirrord_protocol.values import Failure, FailureKind, Hello, Request, Welcome
from mirrord_protocol.windows import FIRST
from protocol_network import Accepted, NetworkService, address, listen, loopback, network, stolen
from protocol_samples import ADDRESS, ADDRESS6, FAILURE, TARGET
from protocol_service import connected, socket_streams


class Collected:
    """A sink that keeps what comes."""

    def __init__(self, connection: Connection, *, take: bool = True) -> None:
        self.data = b""
        self.ended = False
        self.calls = 0
        self._take = take
        self._connection = connection
        self._changed = trio.Event()
        connection.pour_into(self)
        connection.when_over(self._wake)

    def __call__(self, chunks: Sequence[bytes | memoryview], end: bool) -> None:
        assert not self.ended
        data = b"".join(chunks)
        self.data += data
        self.ended = end
        self.calls += 1
        if self._take:
            self._connection.took(len(data))
        self._wake()

    def _wake(self) -> None:
        self._changed.set()

    async def until(self, size: int) -> None:
        """Return when so many bytes have come, or it is over."""
        while len(self.data) < size and not self._connection.over:
            self._changed = trio.Event()
            await self._changed.wait()


def test_both_ends_of_a_stolen_connection() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            accepted = Accepted()
            await client.subscribe(80, SubscribeMode.STEAL, accepted)
            here, there = await stolen(service, accepted)
            assert (here.id, here.peer, here.local) == (there.id, loopback(5), loopback(80))
            there.send(b"GET /")
            collected = Collected(here)
            await collected.until(5)
            assert collected.data == b"GET /"
            here.send(b"200", end=True)
            answer = Collected(there)
            await answer.until(3)
            assert (answer.data, answer.ended, here.over, here.room()) == (b"200", True, False, 0)
            there.send(b"", end=True)
            await here.wait_over()
            await there.wait_over()
            assert (here.failure, there.failure, collected.ended) == (None, None, True)
            here.send(b"too late")
            here.reset()
            assert here.failure is None

    trio.run(run)


def test_what_comes_before_the_sink_is_kept_and_told_once() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            accepted = Accepted()
            await client.subscribe(80, SubscribeMode.STEAL, accepted)
            here, there = await stolen(service, accepted)
            there.send(b"one")
            there.send(b"two", end=True)
            here.send(b"", end=True)
            await here.wait_over()
            collected = Collected(here)
            assert (collected.data, collected.ended, collected.calls) == (b"onetwo", True, 1)
            await there.wait_over()

    trio.run(run)


def test_a_consumer_that_takes_nothing_stops_its_sender_and_nobody_else() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            accepted = Accepted()
            await client.subscribe(80, SubscribeMode.STEAL, accepted)
            here, there = await stolen(service, accepted)
            other_here, other_there = await stolen(service, accepted)
            collected = Collected(other_there, take=False)
            other_here.send(bytes(other_here.room()))
            await collected.until(FIRST)
            assert (other_here.room(), len(collected.data)) == (0, FIRST)
            there.send(b"quick")
            mine = Collected(here)
            await mine.until(5)
            other_there.took(FIRST)
            await other_here.wait_for_room()
            assert other_here.room() == QUEUE

    trio.run(run)


def test_more_than_there_is_room_for() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            accepted = Accepted()
            await client.subscribe(80, SubscribeMode.STEAL, accepted)
            here, _there = await stolen(service, accepted)
            with pytest.raises(LocalProtocolError):
                here.send(bytes(here.room() + 1))

    trio.run(run)


def test_a_reset_wakes_whoever_waits() -> None:
    async def run() -> None:
        async with network() as (client, service, nursery):
            accepted = Accepted()
            await client.subscribe(80, SubscribeMode.STEAL, accepted)
            here, there = await stolen(service, accepted)
            here.send(bytes(here.room()))
            nursery.start_soon(here.wait_for_room)
            nursery.start_soon(here.wait_over)
            await trio.testing.wait_all_tasks_blocked()
            told: list[bool] = []
            here.when_over(lambda: told.append(here.over))
            there.reset(FAILURE)
            await here.wait_over()
            await here.wait_for_room()
            assert (here.failure, here.room(), told) == (FAILURE, 0, [True])
            here.when_over(lambda: told.append(here.over))
            assert told == [True, True]

    trio.run(run)


def test_a_mirrored_connection_takes_and_drops() -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            accepted = Accepted()
            await client.subscribe(80, SubscribeMode.MIRROR, accepted)
            here, there = await stolen(service, accepted)
            assert here.mute
            assert not there.mute
            here.send(bytes(here.room()), end=True)
            await here.wait_for_room()
            there.send(b"x", end=True)
            await here.wait_over()
            assert here.failure is None

    trio.run(run)


def test_cancelling_a_connect_closes_it() -> None:
    cancelled = trio.Event()

    class Slow(NetworkService):
        async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
            try:
                await trio.sleep_forever()
            finally:
                cancelled.set()

    async def run() -> None:
        async with trio.open_nursery() as nursery, connected(Slow(nursery), socket_streams()) as (client, _):
            with trio.move_on_after(0.01):
                await client.connect(ADDRESS)
            await cancelled.wait()

    trio.run(run)


def test_the_loss_of_the_agent_ends_all() -> None:
    async def run() -> None:
        async with network() as (client, service, nursery):
            accepted = Accepted()
            subscription = await client.subscribe(80, SubscribeMode.STEAL, accepted)
            here, there = await stolen(service, accepted)
            datagrams = await client.datagrams()
            connection = await client.connect(await listen(nursery))
            client._session.driver._stream.socket.close()  # type: ignore[attr-defined]
            for lost in (here, there, datagrams, connection):
                await lost.wait_over()
                assert lost.failure is not None
            await subscription.wait_over()
            assert subscription.failure is not None
            with pytest.raises(ConnectionLost):
                await client.connect(ADDRESS)
            assert not datagrams.send(ADDRESS, b"x")

    trio.run(run)


# ---------------------------------------------------------------------------------------------- datagrams


def test_datagrams_both_ways() -> None:
    async def run() -> None:
        with sockets.socket(type=sockets.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            async with network() as (client, _, _nursery):
                stream = await client.datagrams()
                send, receive = trio.open_memory_channel[tuple[Address, bytes]](10)
                assert stream.send(address(peer.getsockname()), b"ping")
                asynchronous = trio.socket.from_stdlib_socket(peer)
                data, sender = await asynchronous.recvfrom(100)
                assert (data, address(sender), stream.peer) == (b"ping", stream.local, NOWHERE)
                await asynchronous.sendto(b"", sender)
                await asynchronous.sendto(bytes(60_000), sender)
                stream.pour_into(lambda peer_, data_: send.send_nowait((peer_, bytes(data_))))
                assert await receive.receive() == (address(peer.getsockname()), b"")
                assert await receive.receive() == (address(peer.getsockname()), bytes(60_000))
                stream.close()
                stream.close()
                await stream.wait_over()
                assert not stream.send(ADDRESS, b"x")

    trio.run(run)


def test_what_there_is_no_credit_for_is_dropped_and_does_not_wait() -> None:
    async def run() -> None:
        async with network() as (client, _, _nursery):
            stream = await client.datagrams()
            sent = sum(stream.send(stream.local, bytes(50_000)) for _ in range(20))
            assert 0 < sent < 20

    trio.run(run)


def test_the_agent_ends_datagrams_with_a_failure() -> None:
    class Failing(NetworkService):
        async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
            stream = reply.open_datagrams(ADDRESS, ADDRESS)
            stream.close(FAILURE)

    async def run() -> None:
        async with trio.open_nursery() as nursery, connected(Failing(nursery), socket_streams()) as (client, _):
            stream = await client.datagrams(ADDRESS)
            await stream.wait_over()
            assert stream.failure == FAILURE

    trio.run(run)


# ---------------------------------------------------------------------------------------------- the service's side


@pytest.mark.parametrize(
    ("error", "name"), [(OSError(errno.ETIMEDOUT, "x"), "ETIMEDOUT"), (OSError(errno.ENETDOWN, "x"), "ENETDOWN")]
)
def test_an_error_of_the_service_after_the_answer_is_the_connections_failure(error: OSError, name: str) -> None:
    class Failing(NetworkService):
        async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
            reply.connect(ADDRESS, ADDRESS6).send(b"first")
            raise error

    async def run() -> None:
        async with trio.open_nursery() as nursery, connected(Failing(nursery), socket_streams()) as (client, _):
            connection = await client.connect(ADDRESS)
            collected = Collected(connection)
            await connection.wait_over()
            assert collected.data == b"first"
            assert connection.failure
            assert connection.failure.errno == name

    trio.run(run)


def test_a_service_that_leaves_a_connection_has_reset_it() -> None:
    class Leaving(NetworkService):
        async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
            if isinstance(request, Request):
                connections.append(reply.connect(ADDRESS, ADDRESS6))

    connections: list[Connection] = []

    async def run() -> None:
        async with trio.open_nursery() as nursery, connected(Leaving(nursery), socket_streams()) as (client, _):
            connection = await client.connect(ADDRESS)
            await connection.wait_over()
            assert connection.failure
            assert connection.failure.errno == "ECONNRESET"
            assert connections[0].over

    trio.run(run)


# ---------------------------------------------------------------------------------------------- names


def test_names() -> None:
    async def run() -> None:
        async with network() as (client, _, _nursery):
            found = Resolved(outcome=NameOutcome.FOUND, addresses=(ADDRESS6,), name=b"db", lifetime=5)
            assert await client.resolve(b"db") == found
            assert (await client.reverse(ADDRESS)).name == b"10.1.2.3:8080"
            assert await client.query(b"abc") == b"cba"

    trio.run(run)


def test_a_failure_of_a_query() -> None:
    class Failing(NetworkService):
        async def welcome(self, hello: Hello) -> Welcome:
            return Welcome(target=TARGET)

        async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
            reply.fail(Failure(FailureKind.SYSTEM, "ETIMEDOUT", "no server answered"))

    async def run() -> None:
        async with trio.open_nursery() as nursery, connected(Failing(nursery), socket_streams()) as (client, _):
            with pytest.raises(RemoteError) as caught:
                await client.query(b"abc")
            assert caught.value.errno == errno.ETIMEDOUT

    trio.run(run)


def test_a_small_piece_of_a_large_buffer_is_copied() -> None:
    buffer = bytes(1000)

    assert own(memoryview(buffer)[:249]) == bytes(249)
    assert isinstance(own(memoryview(buffer)[:249]), bytes)
    assert isinstance(own(memoryview(buffer)[:250]), memoryview)

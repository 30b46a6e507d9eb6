"""The client against a real server over a socket pair: every call, cancellation, loss, and who waits for whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
import trio

from mirrord_protocol.client import Client, RemoteError
from mirrord_protocol.messages import decode_chunks
from mirrord_protocol.server import Reply
from mirrord_protocol.values import (
    Form,
    Listed,
    Opened,
    OpenFlag,
    Request,
    Welcome,
)
from protocol_samples import ENTRIES, FILE_SYSTEM, STAT, TARGET
from protocol_service import HELLO, Service, connected, socket_streams

T = TypeVar("T")
BIG = bytes(range(256)) * (3 << 13)  # 6 MiB


def play(service: Service, block: Callable[[Client], Awaitable[T]]) -> T:
    """Run a block of calls against a service."""

    async def run() -> T:
        with trio.fail_after(60):
            async with connected(service, socket_streams()) as (client, _):
                return await block(client)

    return trio.run(run)


# ---------------------------------------------------------------------------------------------- calls


def test_calls_about_paths() -> None:
    async def block(client: Client) -> None:
        assert client.welcome == Welcome(target=TARGET, requests=64)
        assert (await client.stat(b"/f")).size == 5
        assert (await client.stat(b"/f", follow=False)).mode == 0o120777
        assert await client.readlink(b"/l") == b"to:/l"
        assert await client.realpath(b"/r") == b"to:/r"
        assert await client.file_system(b"/") == FILE_SYSTEM
        assert client.round_trips == client.statistics().round_trips == 5

    service = Service({b"/f": b"12345"})
    play(service, block)

    assert service.greeted == HELLO


def test_a_small_file_comes_with_its_answer() -> None:
    async def block(client: Client) -> None:
        file = await client.open(b"/f")
        assert file.opened == Opened(STAT, Form.WHOLE, complete=True)
        assert await file.data.receive_all() == b"12345"
        assert file.data.ended
        assert client.round_trips == 1
        file.close()

    service = Service({b"/f": b"12345"})
    play(service, block)

    assert service.over == [1]


def test_an_empty_file() -> None:
    async def block(client: Client) -> bytes:
        return await (await client.open(b"/f")).data.receive_all()

    assert play(Service({b"/f": b""}), block) == b""


def test_a_large_file_is_read_by_its_handle() -> None:
    async def block(client: Client) -> None:
        file = await client.open(b"/big", head=1000)
        assert await file.data.receive_all() == BIG[:1000]
        parts = [file.read(at, 1 << 20) for at in range(0, len(BIG), 1 << 20)]
        assert b"".join([await part.receive_all() for part in parts]) == BIG
        assert await file.read(len(BIG) - 3, 100).receive_all() == BIG[-3:]
        assert await file.read(len(BIG), 100).receive_all() == b""
        file.close()
        with pytest.raises(RemoteError) as caught:
            await file.read(0, 1).receive_all()
        assert caught.value.failure.errno == "EBADF"

    service = Service({b"/big": BIG})
    play(service, block)

    assert service.over == [1]


def test_a_read_may_be_asked_for_before_the_open_was_answered() -> None:
    async def block(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.open, b"/big")
            await trio.testing.wait_all_tasks_blocked()
            assert await client.read(1, 5, 5).receive_all() == BIG[5:10]

    play(Service({b"/big": BIG}), block)


def test_a_listing() -> None:
    async def block(client: Client) -> None:
        listing = await client.list(b"/d")
        assert listing.listed == Listed(STAT, watched=False)
        assert tuple(decode_chunks(await listing.data.receive_all())) == ENTRIES

    play(Service(), block)


def test_a_watched_listing() -> None:
    service = Service()

    async def block(client: Client) -> None:
        listing = await client.list(b"/d", watch=True)
        await listing.data.receive_all()
        assert service.over == []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listing.wait_changed)
            service.replies[1].changed()
        await listing.wait_changed()
        assert service.over == [1]
        other = await client.list(b"/d", watch=True)
        await other.data.receive_all()
        other.close()
        with pytest.raises(trio.ClosedResourceError):
            await other.wait_changed()

    play(service, block)

    assert service.over == [1, 2]


def test_failures_are_the_targets() -> None:
    async def block(client: Client) -> None:
        for call in (client.stat(b"/no"), client.open(b"/no")):
            with pytest.raises(RemoteError) as caught:
                await call
            assert (caught.value.failure.errno, caught.value.errno) == ("ENOENT", 2)
        assert (await client.stat(b"/f")).size == 1

    play(Service({b"/f": b"x"}), block)


def test_path_only() -> None:
    async def block(client: Client) -> Opened:
        return (await client.open(b"/f", flags=OpenFlag.PATH_ONLY)).opened

    assert play(Service({b"/f": b"x"}), block).form == Form.NOTHING


def test_many_calls_at_once_keep_to_the_agents_credit() -> None:
    async def block(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(300):
                nursery.start_soon(client.stat, b"/f")
        assert client.round_trips == 300

    play(Service({b"/f": b"x"}, requests=3), block)


# ---------------------------------------------------------------------------------------------- chunks


def test_small_chunks_do_not_keep_large_buffers() -> None:
    async def block(client: Client) -> list[bytes | memoryview]:
        return [chunk async for chunk in (await client.open(b"/f")).data]

    assert [type(chunk) for chunk in play(Service({b"/f": b"x" * 10}), block)] == [bytes]


def test_what_comes_is_poured_at_once() -> None:
    async def block(client: Client) -> None:
        stream = (await client.open(b"/big", head=0)).read(0, len(BIG))
        poured: list[bytes] = []
        await stream.pour_into(lambda chunks: poured.append(b"".join(chunks)))
        assert b"".join(poured) == BIG
        assert stream.ended

    play(Service({b"/big": BIG}), block)


def test_pouring_begins_with_what_came_before() -> None:
    async def block(client: Client) -> None:
        data = (await client.open(b"/f")).data
        while not data.ended:
            await client.stat(b"/f")
        poured: list[bytes | memoryview] = []
        await data.pour_into(poured.extend)
        assert poured == [b"xyz"]

    play(Service({b"/f": b"xyz"}), block)


def test_a_sink_may_close_its_stream() -> None:
    async def block(client: Client) -> None:
        stream = (await client.open(b"/big", head=0)).read(0, len(BIG))
        poured: list[int] = []

        def sink(chunks: Sequence[bytes | memoryview]) -> None:
            poured.append(len(chunks))
            stream.close()

        with pytest.raises(trio.ClosedResourceError):
            await stream.pour_into(sink)
        assert len(poured) == 1
        assert (await client.stat(b"/big")).size == len(BIG)

    play(Service({b"/big": BIG}), block)


# ---------------------------------------------------------------------------------------------- cancellation


class Held:
    """A request that isn't answered before it is let go; counts what becomes of it."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.cancelled = trio.Event()
        self.go = trio.Event()

    async def __call__(self, request_id: int, request: Request, reply: Reply) -> None:
        self.begun.set()
        try:
            await self.go.wait()
        except trio.Cancelled:
            self.cancelled.set()
            raise
        reply.answer(STAT)


def test_cancelling_a_call_closes_its_id() -> None:
    async def block(client: Client) -> None:
        held = service.special[b"/held"] = Held()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.stat, b"/held")
            await held.begun.wait()
            nursery.cancel_scope.cancel()
        await held.cancelled.wait()
        assert (await client.stat(b"/f")).size == 1

    service = Service({b"/f": b"x"})
    play(service, block)


def test_cancelling_an_open_ends_its_handle() -> None:
    async def block(client: Client) -> None:
        held = service.special[b"/held"] = Held()
        with trio.move_on_after(0.05):
            await client.open(b"/held")
        await held.cancelled.wait()
        await client.stat(b"/f")

    service = Service({b"/f": b"x"})
    play(service, block)

    assert service.over == [1]


def test_a_closed_stream_says_so() -> None:
    async def block(client: Client) -> None:
        file = await client.open(b"/big", head=10)
        stream = file.read(0, 6 << 20)
        await stream.__anext__()
        stream.close()
        with pytest.raises(trio.ClosedResourceError):
            while True:
                await stream.__anext__()
        assert await file.read(0, 3).receive_all() == BIG[:3]

    play(Service({b"/big": BIG}), block)


# ---------------------------------------------------------------------------------------------- who waits for whom


def test_a_slow_consumer_stalls_only_its_own_stream() -> None:
    """A stream that nobody takes stops at its credit; others, and other calls, go on."""
    sent: list[int] = []

    async def endless(request_id: int, request: Request, reply: Reply) -> None:
        reply.answer(Opened(STAT, Form.STREAM, complete=False))
        while reply.alive:
            await reply.send(bytes(10_000))
            sent.append(10_000)

    async def block(client: Client) -> None:
        pipe = await client.open(b"/pipe", head=100_000)
        big = await client.open(b"/big", head=0)
        assert await big.read(0, len(BIG)).receive_all() == BIG
        assert sum(sent) <= 100_000
        taken = 0
        while taken < 1_000_000:
            taken += len(await pipe.data.__anext__())
        assert sum(sent) <= 1_000_000 + 2 * 100_000
        pipe.close()
        await client.stat(b"/big")

    service = Service({b"/big": BIG})
    service.special[b"/pipe"] = endless
    play(service, block)

    assert service.over == [1, 2]


def test_many_streams_at_once() -> None:
    async def block(client: Client) -> None:
        file = await client.open(b"/big", head=0)

        async def check(at: int) -> None:
            assert await file.read(at, 300_000).receive_all() == BIG[at : at + 300_000]

        async with trio.open_nursery() as nursery:
            for at in range(0, len(BIG), 100_000):
                nursery.start_soon(check, at)

    play(Service({b"/big": BIG}), block)


def test_control_is_not_stuck_behind_bulk() -> None:
    """Over a link of 10 MB/s with endless buffers, in virtual time: bytes that have left can't be overtaken."""
    rate = 10e6

    async def run() -> tuple[float, float]:
        session, session_link = trio.testing.memory_stream_pair()
        agent, agent_link = trio.testing.memory_stream_pair()

        async def narrow(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
            while data := await source.receive_some(4096):
                await trio.sleep(len(data) / rate)
                await sink.send_all(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(narrow, session_link, agent_link)
            nursery.start_soon(narrow, agent_link, session_link)
            async with connected(Service({b"/big": BIG * 4}), (session, agent)) as (client, _):
                file = await client.open(b"/big", head=0)
                begin, slowest = trio.current_time(), 0.0
                stream = file.read(0, 4 * len(BIG))
                while not stream.ended:
                    asked = trio.current_time()
                    await client.stat(b"/big")
                    slowest = max(slowest, trio.current_time() - asked)
                took = trio.current_time() - begin
            nursery.cancel_scope.cancel()
        return slowest, took

    slowest, took = trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))

    assert took > 2
    assert slowest < 0.05

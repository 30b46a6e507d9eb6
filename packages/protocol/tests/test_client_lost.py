"""The client when the agent goes away, lies, or falls silent, and the end of a session."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from mirrord_protocol.client import Client, ConnectionLost, open_client
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.server import Reply
from mirrord_protocol.values import FailureKind, Request
from protocol_service import HELLO, Service, connected, socket_streams

BIG = bytes(range(256)) * (1 << 13)  # 2 MiB


def test_a_lost_agent_is_told_to_every_call() -> None:
    async def run() -> None:
        mine, theirs = socket_streams()
        service = Service({b"/big": BIG})
        begun = trio.Event()

        async def hold(request_id: int, request: Request, reply: Reply) -> None:
            begun.set()
            await trio.sleep_forever()

        service.special[b"/held"] = hold
        lost: list[str] = []

        async def call(client: Client) -> None:
            with pytest.raises(ConnectionLost) as caught:
                await client.stat(b"/held")
            lost.append(caught.value.failure.kind.name)

        async with connected(service, (mine, theirs)) as (client, _):
            file = await client.open(b"/big", head=4)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call, client)
                await begun.wait()
                await theirs.aclose()
            failure = await client.wait_lost()
            assert failure.kind == FailureKind.GONE
            assert await file.data.receive_all() == BIG[:4]
            with pytest.raises(ConnectionLost):
                await client.stat(b"/f")
            with pytest.raises(ConnectionLost):
                client.read(1, 0, 1)
            file.close()
        assert lost == ["GONE"]

    trio.run(run)


def test_an_agent_that_breaks_the_protocol_is_left() -> None:
    """The agent speaks before it is spoken to, and gibberish."""

    async def run() -> bytes:
        mine, theirs = socket_streams()
        await theirs.send_all(b"\xff" * 64)
        with pytest.raises(RemoteProtocolError, match="the agent broke the protocol"):
            async with open_client(mine, HELLO):
                pass
        async with theirs:
            return b"".join([data async for data in theirs])

    assert b"broke the protocol" in trio.run(run)


def test_an_agent_that_goes_away_before_it_answers() -> None:
    async def run() -> None:
        mine, theirs = socket_streams()
        await theirs.aclose()
        with pytest.raises(ConnectionLost):
            async with open_client(mine, HELLO):
                pass

    trio.run(run)


def test_an_agent_that_never_answers() -> None:
    async def run() -> None:
        mine, _theirs = trio.testing.memory_stream_pair()
        with pytest.raises(ConnectionLost, match=r"nothing was heard from the agent for 30\.0 s"):
            async with open_client(mine, HELLO):
                pass

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


def test_an_idle_session_lives_on_by_its_pings() -> None:
    async def run() -> int:
        service = Service({b"/f": b"x"}, lease=3000)
        async with connected(service, trio.testing.memory_stream_pair()) as (client, _):
            await trio.sleep(100)
            return (await client.stat(b"/f")).size

    assert trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0)) == 1


def test_what_the_block_raises_comes_out_as_it_is() -> None:
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            mine, theirs = socket_streams()

            async def agent() -> None:
                async with connected(Service(), (mine, theirs)):
                    raise KeyError("mine")

            nursery.start_soon(agent)

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(run)
    assert caught.group_contains(KeyError)


def test_the_end_of_a_session_is_told_to_the_agent() -> None:
    async def run() -> str:
        async with connected(Service(), socket_streams()) as (_, ended):
            pass
        return ended[0].text

    assert trio.run(run) == "the session has ended"

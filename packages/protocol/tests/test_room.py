"""The room that all connections of a session share: who waits for it, who takes it; and what was delivered."""

from __future__ import annotations

import socket as sockets

import pytest
import trio
import trio.testing

from mirrord_protocol.connections import Connection
from mirrord_protocol.lanes import QUEUE, QUEUES
from mirrord_protocol.network_values import SubscribeMode
from mirrord_protocol.relay import relay, wait_delivered
from mirrord_protocol.windows import FIRST
from protocol_network import Accepted, NetworkService, loopback, network, tcp_pair


async def stolen(service: NetworkService, accepted: Accepted) -> tuple[Connection, Connection]:
    """Let a connection come; return the session's and the agent's end."""
    there = service.subscribed[0].incoming(loopback(5), loopback(80))
    return await accepted.take(), there


@pytest.mark.parametrize("idle", [0, 100])
def test_who_waits_for_room_goes_on_when_others_are_reset(idle: int) -> None:
    async def run() -> None:
        async with network() as (client, service, _):
            accepted = Accepted()
            await client.subscribe(80, SubscribeMode.STEAL, accepted)
            pairs = [await stolen(service, accepted) for _ in range(idle + QUEUES // QUEUE + 1)]
            # Nothing leaves: the link stands still.
            client._session.connection.lanes.pace.allows = lambda *_: False  # type: ignore[method-assign]
            full, waiting = pairs[: QUEUES // QUEUE], pairs[QUEUES // QUEUE :]
            for here, _ in full:
                while room := min(here.room(), 1 << 16):
                    here.send(bytes(room))
            looked = []

            async def wait(here: Connection) -> None:
                await here.wait_for_room()
                looked.append(here.room())

            async with trio.open_nursery() as waiters:
                for here, _ in waiting:
                    assert not here.room()
                    waiters.start_soon(wait, here)
                await trio.testing.wait_all_tasks_blocked()
                for _, there in full:
                    there.reset()
            assert len(looked) == idle + 1 and all(looked)

    trio.run(run)


def test_a_socket_is_read_only_as_far_as_there_is_room_when_something_comes() -> None:
    async def run() -> None:
        async with network() as (client, service, nursery):
            accepted = Accepted()
            await client.subscribe(80, SubscribeMode.STEAL, accepted)
            streams = []
            for _ in range(QUEUES // QUEUE + 20):
                service.come(service.subscribed[0])
                one, other = tcp_pair()
                nursery.start_soon(relay, other, await accepted.take())
                streams.append(trio.SocketStream(one))
            await trio.testing.wait_all_tasks_blocked()
            lanes = client._session.connection.lanes
            lanes.pace.allows = lambda *_: False  # type: ignore[method-assign] # the link stands still
            async with trio.open_nursery() as senders:
                for stream in streams:
                    senders.start_soon(stream.send_all, bytes(FIRST))
                await trio.testing.wait_all_tasks_blocked(0.1)
                assert QUEUES // 2 < lanes._queued_bytes <= QUEUES
                senders.cancel_scope.cancel()

    trio.run(run)


def test_delivered_is_what_the_other_side_has() -> None:
    async def run() -> None:
        one, other = tcp_pair()
        with one, other:
            await other.send(b"tail")
            other.shutdown(sockets.SHUT_WR)
            with trio.move_on_after(0.05) as patience:
                await wait_delivered(other)
            assert patience.cancelled_caught  # the one side may say something still
            one.shutdown(sockets.SHUT_WR)
            await wait_delivered(other)
            assert await one.recv(5) == b"tail"

    trio.run(run)

"""The last bytes of connections that come to subscribed ports: of the kernel's, and of copies."""

from __future__ import annotations

import socket
from typing import cast

import pytest
import trio

import incoming_kit
from incoming_kit import Caller, connect, open_session, receive, rules_gone
from mirrord_agent.incoming import driver
from mirrord_agent.incoming.mirror.machine import Copy
from mirrord_protocol.connections import Connection
from mirrord_protocol.network_values import SubscribeMode
from mirrord_protocol.relay import wait_delivered
from network_kit import neighbour, ruleset

STEAL = SubscribeMode.STEAL


@pytest.mark.parametrize("mode", SubscribeMode)
def test_what_the_kernel_still_has_to_send_arrives_after_the_subscriptions_end(mode: SubscribeMode) -> None:
    data = bytes(range(256)) * 1200  # as much as sockets' buffers take, more than a client's window

    async def block() -> None:
        caller = Caller()
        with neighbour() as near, socket.create_server((near.OURS[0], 80)) as server:
            async with open_session() as session:
                subscription = await session.subscribe(80, mode, caller.accept)
                client = await connect(near.OURS[0], made=near.socket())
                connection = await caller.next()
                await client.send_eof()
                if mode == STEAL:
                    for at in range(0, len(data), len(data) // 10):
                        while connection.room() < len(data) // 10:
                            await connection.wait_for_room()
                        connection.send(data[at : at + len(data) // 10])
                    connection.send(b"", end=True)
                else:
                    target = server.accept()[0]
                    target.sendall(data)
                    target.shutdown(socket.SHUT_WR)
                    await wait_delivered(target)
                    target.close()
                await connection.wait_over()
                subscription.close()
                await rules_gone("mirrord_80")
                assert "mirrord_agent_" in ruleset()
                assert await receive(client, len(data)) == data
                assert await client.receive_some(1) == b""
                await rules_gone("mirrord")

    incoming_kit.run(block, ordinary=False)


def test_a_copy_goes_on_where_there_is_room_again_before_its_task_has_begun() -> None:
    class Sink:
        over = False
        local = None

        def __init__(self) -> None:
            self.left = 0
            self.data = b""

        def room(self) -> int:
            return self.left

        def send(self, data: bytes, *, end: bool = False) -> None:
            self.data += data

        async def wait_for_room(self) -> None:
            raise AssertionError("there is room")

    async def block() -> None:
        async with trio.open_nursery() as nursery:
            incoming, sink = driver.Incoming(nursery, incoming_kit.LOG, "test"), Sink()
            copy = Copy(cast("Connection", sink))
            copy.put(b"question")
            sink.left = 100
            await incoming._feed(copy, cast("Connection", sink))
            assert sink.data == b"question"
            incoming.close()

    incoming_kit.run(block)

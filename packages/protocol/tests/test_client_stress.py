"""Hundreds of calls at once, many of them cancelled or closed at random moments: nothing gets mixed up, nothing is left.

The dice are fixed, the order of events isn't: what must hold holds in any.
"""

from __future__ import annotations

import random
from contextlib import closing

import pytest
import trio
import trio.testing

from mirrord_protocol.client import Client, RemoteError
from mirrord_protocol.server import Reply
from mirrord_protocol.values import Form, Opened, Request
from protocol_samples import STAT
from protocol_service import Service, connected, socket_streams

BIG = bytes(range(256)) * (1 << 14)  # 4 MiB
SMALL = b"x" * 5000


class Player:
    """Throws dice for what to call, and for how long."""

    def __init__(self, client: Client, service: Service, dice: random.Random) -> None:
        self.client = client
        self.service = service
        self.dice = dice

    async def play(self) -> None:
        with trio.move_on_after(self.dice.choice([0.001, 0.005, 0.02, 10])):
            await self.dice.choice([self.ask, self.open_small, self.read_big, self.take_some, self.list, self.fail])()

    async def ask(self) -> None:
        assert (await self.client.stat(self.dice.choice([b"/small", b"/slow"]))).inode == STAT.inode

    async def fail(self) -> None:
        with pytest.raises(RemoteError):
            await self.client.stat(b"/none")

    async def open_small(self) -> None:
        assert await (await self.client.open(b"/small")).data.receive_all() == SMALL

    async def read_big(self) -> None:
        with closing(await self.client.open(b"/big", head=self.dice.choice([0, 100, 200_000]))) as file:
            reads = [(at, file.read(at, 300_000)) for at in (self.dice.randrange(len(BIG)) for _ in range(4))]
            if self.dice.random() < 0.3:
                file.close()
            for at, stream in reads:
                with closing(stream):
                    if self.dice.random() < 0.7:
                        assert await stream.receive_all() == BIG[at : at + 300_000]

    async def take_some(self) -> None:
        with closing(await self.client.open(b"/endless", head=self.dice.choice([0, 1000, 300_000]))) as pipe:
            size, wanted = 0, self.dice.randrange(1, 500_000)
            async for chunk in pipe.data:
                size += len(chunk)
                if size > wanted:
                    return

    async def list(self) -> None:
        with closing(await self.client.list(b"/d", watch=self.dice.random() < 0.5)) as listing:
            if self.dice.random() < 0.5:
                self.service.replies[listing.id].changed()
            if self.dice.random() < 0.7:
                await listing.data.receive_all()


async def endless(request_id: int, request: Request, reply: Reply) -> None:
    reply.answer(Opened(STAT, Form.STREAM, complete=False))
    while reply.alive:
        await reply.send(bytes(1 + request_id * 997 % 200_000))


async def slow(request_id: int, request: Request, reply: Reply) -> None:
    with trio.move_on_after(0.003):
        await trio.sleep_forever()
    reply.answer(STAT)


@pytest.mark.parametrize("requests", [1, 5, 64])
@pytest.mark.parametrize("sockets", [True, False])
def test_many_calls_at_once(requests: int, sockets: bool) -> None:
    service = Service({b"/small": SMALL, b"/big": BIG}, requests=requests)
    service.special |= {b"/endless": endless, b"/slow": slow}
    dice = random.Random(requests)

    async def run() -> str:
        streams = socket_streams() if sockets else trio.testing.memory_stream_pair()
        with trio.fail_after(60):
            async with connected(service, streams) as (client, ended):
                async with trio.open_nursery() as nursery:
                    for _ in range(200):
                        nursery.start_soon(Player(client, service, dice).play)
                        if dice.random() < 0.2:
                            await trio.lowlevel.checkpoint()
                assert (await client.stat(b"/small")).inode == STAT.inode
        return ended[0].text

    assert trio.run(run) == "the session has ended"
    assert len(service.over) == len(set(service.over))
    assert service.handles == {}

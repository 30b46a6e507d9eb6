"""Everything at once, through a whole session: hostile questions, what a target lacks, and nothing left at the end."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest
import trio

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.settings import IncomingMode, IncomingRules, NetworkRules
from mirrord_protocol.layer_values import LayerOperation, LayerSocket
from mirrord_protocol.values import Capability, Failure, FailureKind, Lacking
from session_agent import descriptors, inode, listener, program, until
from session_layer import finish
from session_network import at, fate, packed

TO = at("10.0.0.7:80")
LACKING = (Lacking(Capability.INCOMING, Failure(FailureKind.FORBIDDEN, None, "no CAP_NET_ADMIN")),)
OPERATIONS = [
    LayerOperation.CONNECT, LayerOperation.CONNECTING, LayerOperation.OUTCOME, LayerOperation.DESCRIBE,
    LayerOperation.BIND, LayerOperation.LISTEN, LayerOperation.SEND,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_any_questions(tmp_path: Path, seed: int) -> None:
    """Whatever a program says, the session goes on, and holds nothing when it is done."""
    chance = random.Random(seed)

    async def run() -> None:
        with listener() as server:
            async with program(tmp_path, NetworkRules(unix_streams=(".",)), limit=400) as running:
                running.agent.places[TO] = server.getsockname()
                for to in (at("127.0.0.1:80"), at("10.0.0.8:80")):
                    running.agent.places[to] = 111
                before = len(descriptors())
                asked = []
                for _ in range(300):
                    payloads = [packed(TO), packed(TO, TO), packed(at("127.0.0.1:80")), packed(at("[::1]:80")),
                                b"/run/x", chance.randbytes(24), chance.randbytes(48), b""]  # fmt: skip
                    channel = await running.begin(
                        chance.choice(OPERATIONS),
                        chance.choice(payloads),
                        inode=chance.choice([0, 1, 2, 1 << 63]),
                        flags=chance.randrange(32),
                        length=chance.choice([0, 1, 1 << 63]),
                    )
                    if chance.random() < 0.2:
                        channel.close()
                    else:
                        asked.append(channel)
                for channel in asked:
                    channel.close()
                with socket.socket() as end:
                    assert await running.connect(end, TO) == "done"
                assert len(descriptors()) < before + 200

    trio.run(run)


def test_what_the_target_lacks(tmp_path: Path) -> None:
    async def run() -> None:
        rules = NetworkRules(incoming=IncomingRules(mode=IncomingMode.STEAL, required=True))
        async with program(tmp_path, rules, lacking=LACKING):
            raise AssertionError("it began")

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(run)
    assert caught.group_contains(SessionFailed, match="no CAP_NET_ADMIN")


def test_what_nobody_asked_for(tmp_path: Path) -> None:
    async def run() -> None:
        async with program(tmp_path, lacking=LACKING) as running:
            assert running.session.warnings == ("Connections that come to the target stay there: no CAP_NET_ADMIN.",)
            with listener() as server:
                assert await running.listen(server) == ("local", "")
                got = await running.ask(LayerOperation.BIND, packed(at("0.0.0.0", server.getsockname()[1])))
                assert fate(got.reply) == "local"

    trio.run(run)


def test_many_connect_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        with listener() as server:
            async with program(tmp_path) as running:
                running.agent.places[TO] = server.getsockname()
                ends = [socket.socket() for _ in range(200)]
                for end in ends:
                    end.setblocking(False)
                channels = [
                    await running.begin(
                        LayerOperation.CONNECT,
                        packed(TO),
                        inode=inode(end),
                        flags=LayerSocket.NON_BLOCKING,
                    )
                    for end in ends
                ]
                for end, channel in zip(ends, channels, strict=True):
                    got = await running.wait(finish, channel)
                    assert got is not None
                    end.connect_ex(("127.0.0.1", int.from_bytes(got.payload[2:4], "little")))
                    own = at("127.0.0.1", end.getsockname()[1])
                    (await running.begin(LayerOperation.CONNECTING, packed(own), inode=inode(end))).close()
                for end in ends:
                    await trio.lowlevel.wait_writable(end)
                    assert end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                    end.close()
                await until(lambda: len(running.agent.connections) == 200)

    trio.run(run)

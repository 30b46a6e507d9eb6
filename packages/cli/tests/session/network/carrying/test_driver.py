"""Datagrams of real sockets, through a session to a scripted agent."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from mirrord_cli.session.network.carrying import driver as module
from mirrord_cli.session.settings import NetworkRules
from mirrord_protocol.layer_values import LayerOperation, LayerSocket
from mirrord_protocol.network_values import Address, Datagrams
from mirrord_protocol.values import Failure, FailureKind
from session_agent import LOCAL, Program, address_of, inode, name_of, own, program, until
from session_network import at, fate, packed, unpacked

DNS, NTP, SIX = at("10.0.0.53:53"), at("10.0.0.9:123"), at("[fd00::53]:53")
DATAGRAM, IPV6, ONLY = LayerSocket.DATAGRAM, LayerSocket.IPV6, LayerSocket.IPV6_ONLY
REFUSED = Failure(FailureKind.SYSTEM, "ECONNREFUSED")
Block = Callable[[Program], Awaitable[None]]


def play(folder: Path, block: Block, **options: Any) -> None:
    async def run() -> None:
        async with program(folder, NetworkRules(), **options) as running:
            await block(running)

    trio.run(run)


def datagram(family: int = socket.AF_INET, *, only: bool = False) -> socket.socket:
    end = socket.socket(family, socket.SOCK_DGRAM)
    end.settimeout(10)
    if family == socket.AF_INET6:
        end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    return end


async def connect(program: Program, end: socket.socket, to: Address = DNS) -> str:
    got = await program.ask(LayerOperation.CONNECT, packed(to), inode=inode(end), flags=flags_of(end))
    if fate(got.reply) == "done":
        end.connect(name_of(unpacked(got.payload)[0]))
    return fate(got.reply)


async def send(program: Program, end: socket.socket, data: bytes, to: Address) -> str:
    """As the layer does: bound first, then sent to where the session says."""
    if not end.getsockname()[1]:
        end.bind(("", 0))
    got = await program.ask(LayerOperation.SEND, packed(own(end), to), inode=inode(end), flags=flags_of(end))
    if fate(got.reply) == "done":
        end.sendto(data, name_of(unpacked(got.payload)[0]))
    return fate(got.reply)


async def receive(program: Program, end: socket.socket) -> tuple[bytes, str]:
    """A datagram, and who it is from as the target sees it."""
    data, source = await program.wait(end.recvfrom, 1 << 16)
    return data, (await program.describe(end, address_of(source)))[1]


def flags_of(end: socket.socket) -> LayerSocket:
    flags = DATAGRAM
    if end.family == socket.AF_INET6:
        flags |= IPV6
        if end.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            flags |= ONLY
    return flags


@pytest.mark.parametrize(
    ("family", "only"), [(socket.AF_INET, False), (socket.AF_INET6, False), (socket.AF_INET6, True)]
)
def test_a_connected_socket(tmp_path: Path, family: int, only: bool) -> None:
    async def block(program: Program) -> None:
        with datagram(family, only=only) as end:
            assert await connect(program, end) == "done"
            assert program.agent.asked == [Datagrams(DNS, ipv6=False, credit=program.agent.asked[0].credit)]  # type: ignore[union-attr]
            local, peer = await program.describe(end)
            assert (local.endswith("10.0.0.2:5000") or "10.0.0.2]:5000" in local, "10.0.0.53" in peer) == (True, True)
            end.send(b"question")
            await until(lambda: program.agent.datagrams == [(DNS, b"question")])
            program.agent.streams[0].send(DNS, b"answer")
            assert await program.wait(end.recv, 100) == b"answer"
            assert program.bits.relayed_datagrams == 1

    play(tmp_path, block)


def test_several_peers(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with datagram() as end:
            for _ in range(2):
                for to in (DNS, NTP):
                    assert await send(program, end, str(to).encode(), to) == "done"
            await until(lambda: len(program.agent.datagrams) == 4)
            assert set(program.agent.datagrams) == {(to, str(to).encode()) for to in (DNS, NTP)}
            [stream] = program.agent.streams
            stranger = at("10.0.0.77:7")
            for peer in (NTP, DNS, stranger):
                stream.send(peer, b"from " + str(peer).encode())
            got = {await receive(program, end) for _ in range(3)}
            assert got == {(b"from " + str(peer).encode(), str(peer)) for peer in (NTP, DNS, stranger)}
            assert len(program.bits.relayed) == 3

    play(tmp_path, block)


def test_both_families_from_one_socket(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with datagram(socket.AF_INET6) as end:
            await send(program, end, b"four", at("[::ffff:10.0.0.53]:53"))
            await send(program, end, b"six", SIX)
            await until(lambda: len(program.agent.datagrams) == 2)
            assert set(program.agent.datagrams) == {(DNS, b"four"), (SIX, b"six")}
            for stream, peer in zip(program.agent.streams, (DNS, SIX), strict=True):
                stream.send(peer, b"back")
            assert {await receive(program, end) for _ in range(2)} == {
                (b"back", "[::ffff:10.0.0.53]:53"), (b"back", "[fd00::53]:53"),
            }  # fmt: skip

    play(tmp_path, block)


def test_sizes(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with datagram() as end:
            await connect(program, end)
            sent = [b"", b"x", bytes(1472), bytes(65507)]
            for data in sent:
                end.send(data)
                await until(lambda data=data: (DNS, data) in program.agent.datagrams)  # type: ignore[misc]
            for data in sent:
                assert program.agent.streams[0].send(DNS, data)
                assert await program.wait(end.recv, 1 << 16) == data

    play(tmp_path, block)


def test_it_cannot_be_had(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        program.agent.places[DNS] = errno.ENETUNREACH
        with datagram() as end:
            assert await connect(program, end) == "ENETUNREACH"
            assert program.bits.relayed == set()

    play(tmp_path, block)


def test_another_programs_datagrams_do_not_count(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with datagram() as end, datagram() as stranger:
            await connect(program, end)
            stranger.sendto(b"stranger", end.getpeername())
            end.send(b"mine")
            await until(lambda: program.agent.datagrams)
            stranger.sendto(b"stranger", end.getpeername())
            end.send(b"mine too")
            await until(lambda: len(program.agent.datagrams) == 2)
            assert [data for _, data in program.agent.datagrams] == [b"mine", b"mine too"]

    play(tmp_path, block)


def test_the_target_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets the kernel's own error, and the peer recovers."""
    monkeypatch.setattr(module, "REFUSED", 0.3)

    async def block(program: Program) -> None:
        with datagram() as end:
            await connect(program, end)
            end.send(b"question")
            await until(lambda: program.agent.datagrams)
            program.agent.streams[0].close(REFUSED)
            with pytest.raises(ConnectionRefusedError):
                while True:
                    end.send(b"again")
                    await trio.sleep(0.005)
            program.agent.datagrams.clear()
            while not program.agent.datagrams:
                with suppress(ConnectionRefusedError):
                    end.send(b"recovered")
                await trio.sleep(0.01)
            assert program.agent.datagrams[0] == (DNS, b"recovered")
            program.agent.streams[-1].send(DNS, b"answer")
            while True:
                try:
                    assert await program.wait(end.recv, 100) == b"answer"
                    break
                except ConnectionRefusedError:
                    pass

    play(tmp_path, block)


def test_a_socket_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.05)

    async def block(program: Program) -> None:
        with datagram() as end, datagram() as other:
            await connect(program, end)
            await send(program, other, b"x", DNS)
            await until(lambda: len(program.bits.relayed) == 2)
        await until(lambda: not program.bits.relayed)
        await until(lambda: all(stream.over for stream in program.agent.streams))

    play(tmp_path, block)


def test_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connected socket's peer stays, and the target's socket comes back with the next datagram."""
    monkeypatch.setattr(module, "LOOK", 0.05)
    monkeypatch.setattr(module, "SILENCE", 0.2)
    monkeypatch.setattr(module, "PAUSE", 0.0)

    async def block(program: Program) -> None:
        with datagram() as end, datagram() as other:
            await connect(program, end)
            end.send(b"one")
            await send(program, other, b"two", NTP)
            await until(lambda: len(program.agent.datagrams) == 2)
            await until(lambda: all(stream.over for stream in program.agent.streams))
            assert len(program.bits.relayed) == 1
            end.send(b"three")
            await send(program, other, b"four", NTP)
            await until(lambda: len(program.agent.datagrams) == 4)
            program.agent.streams[-2].send(DNS, b"answer")
            program.agent.streams[-1].send(DNS, b"answer")
            assert await program.wait(end.recv, 100) == b"answer"

    play(tmp_path, block)


def test_it_is_connected_anew(tmp_path: Path) -> None:
    """As programs do to see by which address they would leave."""

    async def block(program: Program) -> None:
        with datagram() as end:
            for to in (DNS, NTP, DNS):
                assert await connect(program, end, to) == "done"
                assert await program.describe(end) == (str(LOCAL), str(to))
            assert len(program.bits.relayed) == 1
            end.send(b"last")
            await until(lambda: program.agent.datagrams == [(DNS, b"last")])

    play(tmp_path, block)


def test_what_stays_here_is_the_targets_once_its_socket_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 0.02)

    async def block(program: Program) -> None:
        with datagram() as end, datagram() as here:
            here.bind(("127.0.0.1", 0))
            to = own(here)
            await program.ask(LayerOperation.LISTEN, packed(to), inode=inode(here), flags=DATAGRAM)
            assert await send(program, end, b"x", to) == "local"
            await trio.sleep(0.1)  # some looks
            assert await send(program, end, b"x", to) == "local"
            here.close()
            await until(lambda: not program.session._machine.network.near.owns(to.port))
            assert await send(program, end, b"x", to) == "done"
            await until(lambda: program.agent.datagrams == [(to, b"x")])

    play(tmp_path, block)


def test_there_are_only_so_many(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with datagram() as end:
            told = [await send(program, end, b"x", at(f"10.0.1.{host}:9")) for host in range(1, 8)]
            assert told == ["done"] * 4 + ["EMFILE"] * 3

    play(tmp_path, block, limit=16)


def test_the_agent_goes(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with datagram() as end, datagram() as late:
            await connect(program, end)
            await program.cut()
            with pytest.raises(ConnectionRefusedError):
                while True:
                    end.send(b"x")
                    await trio.sleep(0.005)
            assert await connect(program, late) == "ENETDOWN"
            assert await send(program, late, b"x", NTP) == "ENETDOWN"

    play(tmp_path, block)

"""Connects of real sockets, of all kinds, through a session to a scripted agent."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from mirrord_cli.session.network.dialing import driver as module
from mirrord_cli.session.network.gates.driver import Gate
from mirrord_cli.session.settings import NetworkRules
from mirrord_protocol.layer_values import LayerOperation, LayerSocket
from mirrord_protocol.network_values import Address, UnixAddress
from session_agent import LOCAL, Program, address_of, descriptors, inode, listener, program, until
from session_layer import begin
from session_network import at, fate, packed

TO = at("10.0.0.7:80")
TRUTH = (str(LOCAL), str(TO))
MAPPED = ("[::ffff:10.0.0.2]:5000", "[::ffff:10.0.0.7]:80")
Block = Callable[[Program, socket.socket], Awaitable[None]]


def play(folder: Path, block: Block, rules: NetworkRules | None = None, **options: Any) -> None:
    """Run a block with a program and a server of the target's at TO."""

    async def run() -> None:
        with listener() as server:
            async with program(folder, rules, **options) as running:
                running.agent.places[TO] = server.getsockname()
                await block(running, server)
                server.close()  # resets what nobody accepted
                await until(lambda: all(connection.over for connection in running.agent.connections))

    trio.run(run)


def stream(family: int = socket.AF_INET, *, blocking: bool = True, only: bool = False) -> socket.socket:
    end = socket.socket(family, socket.SOCK_STREAM)
    end.setblocking(blocking)
    if family == socket.AF_INET6:
        end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    return end


async def talk(program: Program, end: socket.socket, server: socket.socket) -> None:
    """Bytes and half-closes go both ways."""
    other = (await program.wait(server.accept))[0]
    end.setblocking(True)
    with other:
        end.sendall(b"question")
        end.shutdown(socket.SHUT_WR)
        assert await program.wait(other.recv, 100, socket.MSG_WAITALL) == b"question"
        other.sendall(b"answer")
        other.shutdown(socket.SHUT_WR)
        assert await program.wait(end.recv, 100, socket.MSG_WAITALL) == b"answer"


FAMILIES = [
    (socket.AF_INET, False, LayerSocket(0), "127.0.0.1", TRUTH),
    (socket.AF_INET6, False, LayerSocket.IPV6, "::ffff:127.0.0.1", MAPPED),
    (socket.AF_INET6, True, LayerSocket.IPV6 | LayerSocket.IPV6_ONLY, "::1", MAPPED),
]


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize(("family", "only", "flags", "host", "truth"), FAMILIES, ids=["4", "mapped", "6"])
def test_it_connects(
    tmp_path: Path, family: int, only: bool, flags: int, host: str, truth: tuple[str, str], blocking: bool
) -> None:
    async def block(program: Program, server: socket.socket) -> None:
        with stream(family, blocking=blocking, only=only) as end:
            told = await program.connect(end, TO, flags)
            if not blocking:
                assert told == "EINPROGRESS"
                await trio.lowlevel.wait_writable(end)
                assert end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            peer = address_of(end.getpeername())
            assert end.getpeername()[0] == host
            assert await program.describe(end) == truth
            assert await program.outcome(end) == "done"
            assert end.getpeername()[1] in program.bits.relayed
            assert program.bits.relays == 1
            await talk(program, end, server)
            await until(lambda: all(connection.over for connection in program.agent.connections))
            assert await program.describe(end, peer) == truth

    play(tmp_path, block)


@pytest.mark.parametrize("code", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ETIMEDOUT])
def test_the_targets_errno(tmp_path: Path, code: int) -> None:
    name = errno.errorcode[code]

    async def block(program: Program, server: socket.socket) -> None:
        program.agent.places[TO] = code
        with stream() as end:
            assert await program.connect(end, TO) == name
        with stream(blocking=False) as end, select.epoll() as epoll:
            assert await program.connect(end, TO) == "EINPROGRESS"
            epoll.register(end, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
            [(number, events)] = await program.wait(epoll.poll, 5)
            assert number == end.fileno() and events & select.EPOLLERR
            assert await program.outcome(end) == name
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
            assert await program.outcome(end) == name

    play(tmp_path, block)


def test_it_is_not_connected_before_the_target_is(tmp_path: Path) -> None:
    async def block(program: Program, server: socket.socket) -> None:
        held = program.agent.held[TO] = trio.Event()
        with stream(blocking=False) as end:
            assert await program.connect(end, TO) == "EINPROGRESS"
            assert await program.outcome(end) == "EINPROGRESS"
            assert not select.select([], [end], [], 0.1)[1]
            held.set()
            await trio.lowlevel.wait_writable(end)
            await talk(program, end, server)

    play(tmp_path, block)


def test_a_signal_ends_the_wait(tmp_path: Path) -> None:
    """The layer closes the channel; the target's attempt ends, too."""

    async def block(program: Program, _: socket.socket) -> None:
        program.agent.held[TO] = trio.Event()
        with stream() as end:
            channel = begin(program.link, LayerOperation.CONNECT, packed(TO), inode=inode(end))
            await until(lambda: program.agent.asked)
            channel.close()
            await until(lambda: program.agent.cancelled == [TO])
            assert await program.outcome(end) == "local"

    play(tmp_path, block)


def test_a_timeout_of_the_program(tmp_path: Path) -> None:
    async def block(program: Program, _: socket.socket) -> None:
        program.agent.held[TO] = trio.Event()
        with stream() as end:
            assert await program.connect(end, TO, length=20_000) == "EINPROGRESS"
            await until(lambda: program.agent.cancelled == [TO])

    play(tmp_path, block)


def test_a_socket_that_is_closed_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the loser of two families' race is."""
    monkeypatch.setattr(module, "LOOK", 0.05)

    async def block(program: Program, _: socket.socket) -> None:
        program.agent.held[TO] = trio.Event()
        with stream(blocking=False) as end:
            assert await program.connect(end, TO) == "EINPROGRESS"
        await until(lambda: program.agent.cancelled == [TO])
        await until(lambda: not program.bits.relayed)

    play(tmp_path, block)


def test_one_that_never_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.05)
    monkeypatch.setattr(module, "PATIENCE", 0.2)

    async def block(program: Program, server: socket.socket) -> None:
        for flags in (LayerSocket(0), LayerSocket.NON_BLOCKING):
            await program.ask(LayerOperation.CONNECT, packed(TO), inode=7, flags=flags)
            with (await program.wait(server.accept))[0] as other, pytest.raises(ConnectionResetError):
                await program.wait(other.recv, 1)
            await until(lambda: not program.bits.relayed)

    play(tmp_path, block)


def test_unix_streams(tmp_path: Path) -> None:
    path = UnixAddress(b"/run/shop.sock")

    async def block(program: Program, _: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as end:
            server.bind(str(tmp_path / "sock"))
            server.listen()
            program.agent.places[path] = str(tmp_path / "sock")
            got = await program.ask(LayerOperation.CONNECT, path.path, inode=inode(end), flags=LayerSocket.UNIX)
            end.connect(got.payload)
            await talk(program, end, server)
            program.agent.places[path] = errno.ENOENT
            got = await program.ask(LayerOperation.CONNECT, path.path, inode=8, flags=LayerSocket.UNIX)
            assert fate(got.reply) == "ENOENT"

    play(tmp_path, block, NetworkRules(unix_streams=("^/run/",)))


def test_resets_go_through(tmp_path: Path) -> None:
    async def block(program: Program, server: socket.socket) -> None:
        with stream() as end:
            await program.connect(end, TO)
            other = (await program.wait(server.accept))[0]
            other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            other.close()
            with pytest.raises(ConnectionResetError):
                await program.wait(end.recv, 1)

    play(tmp_path, block)


def test_the_agent_goes(tmp_path: Path) -> None:
    async def block(program: Program, server: socket.socket) -> None:
        held = at("10.0.0.8:80")
        program.agent.held[held] = trio.Event()
        with stream() as end, stream(blocking=False) as waiting, stream() as late:
            await program.connect(end, TO)
            assert await program.connect(waiting, held) == "EINPROGRESS"
            await until(lambda: len(program.agent.asked) == 2)
            await program.cut()
            with pytest.raises(ConnectionResetError):
                await program.wait(end.recv, 1)
            await trio.lowlevel.wait_writable(waiting)
            assert waiting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
            assert await program.outcome(waiting) == "ENETDOWN"
            assert await program.connect(late, TO) == "ENETDOWN"

    play(tmp_path, block)


def test_slow_ones_leave_room_for_others(tmp_path: Path) -> None:
    """So many wait for far hosts that the agent would take no more requests; files are asked for all the same."""

    async def block(program: Program, _: socket.socket) -> None:
        held = program.agent.held[TO] = trio.Event()
        ends = [stream(blocking=False) for _ in range(30)]
        for end in ends:
            assert await program.connect(end, TO) == "EINPROGRESS"
        assert len(program.agent.asked) == 10
        held.set()
        for end in ends:
            await trio.lowlevel.wait_writable(end)
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            end.close()

    play(tmp_path, block, requests=module.FOR_OTHERS + 10)


def test_a_descriptor_for_each_connection(tmp_path: Path) -> None:
    async def block(program: Program, server: socket.socket) -> None:
        before = len(descriptors())
        ends = [stream(blocking=bool(number % 2)) for number in range(100)]
        for end in ends:
            await program.connect(end, TO)
            await trio.lowlevel.wait_writable(end)
        others = [server.accept()[0] for _ in ends]
        # The program's, the server's, the agent's and the session's, and at most two gates.
        assert len(descriptors()) <= before + 4 * 100 + 2
        for end in [*ends, *others]:
            end.close()

    play(tmp_path, block)


def test_no_descriptor_is_left_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def let_in(_: Gate, own: Address) -> None:
        """As where the kernel gives no socket."""

    monkeypatch.setattr(Gate, "let_in", let_in)

    async def block(program: Program, server: socket.socket) -> None:
        with stream(blocking=False) as end:
            assert await program.connect(end, TO) == "EINPROGRESS"
            await trio.lowlevel.wait_writable(end)
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
            assert await program.outcome(end) == "EMFILE"

    play(tmp_path, block)


def test_another_socket_does_not_get_in(tmp_path: Path) -> None:
    """Only the one whose inode was told."""

    async def block(program: Program, server: socket.socket) -> None:
        with stream() as end, stream() as stranger:
            got = await program.ask(LayerOperation.CONNECT, packed(TO), inode=inode(end))
            port = int.from_bytes(got.payload[2:4], "little")
            stranger.connect(("127.0.0.1", port))
            with pytest.raises(ConnectionResetError):
                await program.wait(stranger.recv, 1)
            end.connect(("127.0.0.1", port))
            await talk(program, end, server)

    play(tmp_path, block)

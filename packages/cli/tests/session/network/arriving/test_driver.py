"""Connections that come to a scripted target, to real listeners of programs."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from mirrord_cli.session.network.arriving import driver as module
from mirrord_cli.session.settings import IncomingMode, IncomingRules, NetworkRules
from mirrord_protocol.connections import RESET, Connection
from mirrord_protocol.layer_values import LayerOperation
from mirrord_protocol.network_values import Address, Subscribe, SubscribeMode
from session_agent import CLIENT, Program, address_of, listener, name_of, own, program, until
from session_network import at, fate, packed, unpacked

CLIENT6 = at("[fd00::9]:7000")
STEAL = IncomingRules(mode=IncomingMode.STEAL)
Block = Callable[[Program], Awaitable[None]]


def play(folder: Path, block: Block, incoming: IncomingRules = STEAL, **options: Any) -> None:
    async def run() -> None:
        async with program(folder, NetworkRules(incoming=incoming), **options) as running:
            await block(running)

    trio.run(run)


class Client:
    """Whoever connected to the target: what it got."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.got = b""
        self.ended = False
        connection.pour_into(self._take)

    def _take(self, chunks: Any, end: bool) -> None:
        for chunk in chunks:
            self.got += chunk
            self.connection.took(len(chunk))
        self.ended |= end

    def close(self) -> None:
        self.connection.send(b"", end=True)


async def accept(program: Program, server: socket.socket) -> socket.socket:
    return (await program.wait(server.accept))[0]


async def serve_one(program: Program, server: socket.socket, client: Client) -> None:
    """A question and an answer; then both sides close."""
    client.connection.send(b"question")
    with await accept(program, server) as end:
        assert await program.wait(end.recv, 8, socket.MSG_WAITALL) == b"question"
        end.sendall(b"answer")
        await until(lambda: client.got == b"answer")
        client.close()
        assert await program.wait(end.recv, 1) == b""
    await until(lambda: client.connection.over)
    assert client.ended


HOSTS = [
    (socket.AF_INET, "0.0.0.0", CLIENT, "10.0.0.9:7000"),
    (socket.AF_INET, "127.0.0.1", CLIENT, "10.0.0.9:7000"),
    (socket.AF_INET6, "::", CLIENT, "[::ffff:10.0.0.9]:7000"),
    (socket.AF_INET6, "::1", CLIENT, "[::ffff:10.0.0.9]:7000"),
    (socket.AF_INET6, "::", CLIENT6, "[fd00::9]:7000"),
    (socket.AF_INET, "0.0.0.0", CLIENT6, None),
]


@pytest.mark.parametrize(("family", "host", "client", "seen"), HOSTS)
def test_it_comes(tmp_path: Path, family: int, host: str, client: Address, seen: str | None) -> None:
    async def block(program: Program) -> None:
        with listener(family, host) as server:
            port = own(server).port
            assert await program.listen(server) == ("done", "")
            assert program.bits.own == {port}
            arrived = Client(program.agent.arrive(port, client))
            with await accept(program, server) as end:
                peer = address_of(end.getpeername())
                told = await program.describe(end)
                if seen is None:
                    assert told == ()
                else:
                    assert peer.port in program.bits.relayed
                    local = f"[::ffff:10.0.0.2]:{port}" if family == socket.AF_INET6 else f"10.0.0.2:{port}"
                    assert told == (local, seen)
                end.sendall(b"first")  # a server may speak first
                await until(lambda: arrived.got == b"first")
            arrived.close()
            await until(lambda: arrived.connection.over)
            await serve_one(program, server, Client(program.agent.arrive(port, client)))
        await until(lambda: not program.agent.subscriptions)
        assert program.bits.own == set()

    play(tmp_path, block)


def test_an_address_of_this_machine(tmp_path: Path) -> None:
    """A listener that isn't on loopback is reached from there all the same, where layers look."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("no address but loopback's")
        host = probe.getsockname()[0]

    async def block(program: Program) -> None:
        with listener(socket.AF_INET, host) as server:
            await program.listen(server)
            client = Client(program.agent.arrive(own(server).port))
            with await accept(program, server) as end:
                assert end.getpeername()[0] == "127.0.0.1"
                assert (await program.describe(end))[1] == "10.0.0.9:7000"
            client.close()

    play(tmp_path, block)


def test_what_is_wanted(tmp_path: Path) -> None:
    rules = IncomingRules(
        mode=IncomingMode.MIRROR, port_mapping=((8080, 80),), ignore_ports=(9,), loopback=False, reset=False
    )

    async def block(program: Program) -> None:
        got = await program.ask(LayerOperation.LISTEN, packed(at("0.0.0.0:9")), inode=1)
        assert fate(got.reply) == "local"
        got = await program.ask(LayerOperation.LISTEN, packed(at("0.0.0.0:8080")), inode=2)
        assert fate(got.reply) == "done"
        [asked] = program.agent.asked
        assert isinstance(asked, Subscribe)
        assert (asked.port, asked.mode, asked.loopback, asked.reset) == (80, SubscribeMode.MIRROR, False, False)

    play(tmp_path, block, rules)


def test_a_port_that_another_session_has(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with listener() as server:
            program.agent.refuses[own(server).port] = OSError(errno.EADDRINUSE, "in use")
            told, text = await program.listen(server)
            assert told == "EADDRINUSE"
            assert text.startswith(f"mirrord: port {own(server).port} of the target can't be had")
            assert program.bits.own == set()
            del program.agent.refuses[own(server).port]
            assert (await program.listen(server))[0] == "done"

    play(tmp_path, block)


def test_nobody_listens_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is refused shows it before the next look."""
    monkeypatch.setattr(module, "LOOK", 3600.0)

    async def block(program: Program) -> None:
        with listener() as server:
            port = own(server).port
            await program.listen(server)
        client = Client(program.agent.arrive(port))
        await until(lambda: client.connection.over)
        assert client.connection.failure is not None
        assert client.connection.failure.errno == "ECONNREFUSED"
        await until(lambda: not program.agent.subscriptions)
        assert program.bits.relayed == program.bits.own == set()

    play(tmp_path, block)


@contextmanager
def another_user() -> Iterator[None]:
    """What is made in this block is another user's."""
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_another_users_listener_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port is anyone's from the moment on at which its program has closed it; nobody has looked yet."""
    monkeypatch.setattr(module, "LOOK", 60)

    async def block(program: Program) -> None:
        with listener() as server:
            port = own(server).port
            await program.listen(server)
        with another_user():
            stranger = socket.create_server(("127.0.0.1", port))
        with stranger:
            client = Client(program.agent.arrive(port))
            await until(lambda: client.connection.over)
            assert client.connection.failure is not None
            assert client.connection.failure.errno == "ECONNREFUSED"
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.accept()

    play(tmp_path, block)


def test_a_program_may_be_another_users(tmp_path: Path) -> None:
    """As servers are that give up root's rights before they listen."""

    async def block(program: Program) -> None:
        with another_user():
            server = socket.create_server(("127.0.0.1", 0))
        with server:
            await program.listen(server)
            await serve_one(program, server, Client(program.agent.arrive(own(server).port)))

    play(tmp_path, block)


def test_processes_share_a_listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is subscribed once, and until the last of them has closed it."""
    monkeypatch.setattr(module, "LOOK", 0.02)

    async def block(program: Program) -> None:
        first = socket.socket()
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        first.bind(("127.0.0.1", 0))
        first.listen()
        second = socket.socket()
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        second.bind(first.getsockname())
        second.listen()
        port = own(first).port
        inherited = first.dup()
        for each in (first, second, inherited):
            assert await program.listen(each) == ("done", "")
        assert len(program.agent.asked) == 1
        first.close()
        second.close()
        await trio.sleep(0.2)
        await serve_one(program, inherited, Client(program.agent.arrive(port)))
        inherited.close()
        await until(lambda: not program.agent.subscriptions)

    play(tmp_path, block)


def test_it_listens_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, or after the subscription has ended."""
    monkeypatch.setattr(module, "LOOK", 0.02)

    async def block(program: Program) -> None:
        port = 0
        for number in range(3):
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(("127.0.0.1", port))
                server.listen()
                port = own(server).port
                assert await program.listen(server) == ("done", "")
                await serve_one(program, server, Client(program.agent.arrive(port)))
            if number:
                await until(lambda: not program.agent.subscriptions)

    play(tmp_path, block)


def test_it_is_bound_elsewhere(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with listener(socket.AF_INET, "0.0.0.0") as holder, socket.socket() as server:
            wanted = own(holder)
            got = await program.ask(LayerOperation.BIND, packed(wanted))
            server.bind(name_of(unpacked(got.payload)[0]))
            server.listen()
            told, text = await program.listen(server)
            assert (told, f"port {wanted.port} is port {own(server).port}" in text) == ("done", True)
            assert await program.describe(server, Address(b"", 0)) == (f"0.0.0.0:{wanted.port}", "")
            client = Client(program.agent.arrive(wanted.port))
            with await accept(program, server) as end:
                assert await program.describe(end) == (f"10.0.0.2:{wanted.port}", "10.0.0.9:7000")
            client.close()
            got = await program.ask(LayerOperation.CONNECT, packed(at("127.0.0.1", wanted.port)), inode=1)
            assert (fate(got.reply), unpacked(got.payload)) == ("local", (f"127.0.0.1:{own(server).port}",))

    play(tmp_path, block)


def test_a_mirrored_connection(tmp_path: Path) -> None:
    """What the program answers goes nowhere, and never waits."""

    async def block(program: Program) -> None:
        with listener() as server:
            await program.listen(server)
            client = Client(program.agent.arrive(own(server).port))
            client.connection.send(b"question", end=True)
            with await accept(program, server) as end:
                assert await program.wait(end.recv, 100, socket.MSG_WAITALL) == b"question"
                await program.wait(end.sendall, bytes(8 << 20))
            await until(lambda: client.connection.over)
            assert client.got == b""

    play(tmp_path, block, IncomingRules(mode=IncomingMode.MIRROR))


def test_resets(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with listener() as server:
            await program.listen(server)
            client = Client(program.agent.arrive(own(server).port))
            with await accept(program, server) as end:
                client.connection.reset(RESET)
                with pytest.raises(ConnectionResetError):
                    await program.wait(end.recv, 1)

    play(tmp_path, block)


def test_the_agent_goes(tmp_path: Path) -> None:
    """Listeners stay, for this machine alone."""

    async def block(program: Program) -> None:
        with listener() as server, listener() as later, socket.socket() as local:
            await program.listen(server)
            Client(program.agent.arrive(own(server).port))
            with await accept(program, server) as end:
                await program.cut()
                with pytest.raises(ConnectionResetError):
                    await program.wait(end.recv, 1)
            local.connect(server.getsockname())
            with await accept(program, server) as end:
                assert end.getpeername() == local.getsockname()
            assert (await program.listen(later))[0] == "local"
            assert program.bits.own == {own(server).port, own(later).port}

    play(tmp_path, block)


def test_who_it_was_is_known_until_the_program_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEEP", 0.02)

    async def block(program: Program) -> None:
        with listener() as server:
            await program.listen(server)
            client = Client(program.agent.arrive(own(server).port))
            with await accept(program, server) as end:
                client.close()
                assert await program.wait(end.recv, 1) == b""
                end.shutdown(socket.SHUT_WR)
                peer = address_of(end.getpeername()) if _is_connected(end) else None
                await until(lambda: client.connection.over)
                if peer is not None:
                    await program.describe(end, peer)
            await until(lambda: not program.bits.relayed)

    play(tmp_path, block)


def _is_connected(end: socket.socket) -> bool:
    try:
        end.getpeername()
    except OSError:
        return False
    return True


def test_too_many_at_once(tmp_path: Path) -> None:
    async def block(program: Program) -> None:
        with listener() as server:
            await program.listen(server)
            clients = [Client(program.agent.arrive(own(server).port)) for _ in range(8)]
            await until(lambda: sum(client.connection.over for client in clients) == 4)
            ends = [await accept(program, server) for _ in range(4)]
            for end in ends:
                end.close()
            for client in clients:
                client.close()
            await until(lambda: all(client.connection.over for client in clients))

    play(tmp_path, block, limit=16)

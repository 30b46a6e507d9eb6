"""Where redirected connections arrive: whose they are and where they were going, in namespaces of the tests' own."""

from __future__ import annotations

import errno
import resource
import socket

import pytest
import trio

from mirrord_agent.incoming.listener import driver
from mirrord_agent.incoming.listener.driver import Arrived, RedirectListener
from mirrord_agent.incoming.rules.driver import Rules
from mirrord_agent.kernel.layouts import SOCKET_MARK
from mirrord_agent.log import Log
from mirrord_agent.sockets.driver import Sockets, from_system
from mirrord_protocol.network_values import Address
from network_kit import everybody, killed_after, neighbour, play

LOG = Log("error")


def redirect(rules: Rules, port: int) -> RedirectListener:
    listener = RedirectListener(port, LOG)
    rules.take(port, "test")
    rules.redirect(port, listener.port, mark=SOCKET_MARK, loopback=True, mesh=None)
    return listener


async def arrivals(listener: RedirectListener, count: int) -> list[Arrived]:
    """The next connections that arrive."""
    arrived: list[Arrived] = []
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:

            def accept(each: Arrived) -> None:
                arrived.append(each)
                if len(arrived) == count:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(listener.run, accept)
    return arrived


def name(made: socket.socket, address: object) -> Address:
    value = from_system(made.family, address)
    assert isinstance(value, Address)
    return value


@everybody
def test_both_addresses_are_the_true_ones(ordinary: bool) -> None:
    def block() -> None:
        rules = Rules()
        listener = redirect(rules, 80)
        with neighbour() as near:
            clients = [
                (near.socket(), (near.OURS[0], 80)),
                (near.socket(socket.AF_INET6), (near.OURS[1], 80)),
                (socket.socket(), ("127.0.0.1", 80)),
                (socket.socket(), (near.OURS[0], 80)),
                (socket.socket(socket.AF_INET6), ("::1", 80)),
                (socket.socket(socket.AF_INET6), (near.OURS[1], 80)),
                (socket.socket(socket.AF_INET6), ("::ffff:127.0.0.1", 80)),
            ]
            for client, to in clients:
                client.settimeout(10)
                client.connect(to)
            arrived = {peer: (made, local) for made, peer, local in trio.run(arrivals, listener, len(clients))}
            for client, _ in clients[:-1]:
                made, local = arrived[name(client, client.getsockname())]
                assert local == name(client, client.getpeername())
                made.send(b"hello")
                assert client.recv(9) == b"hello"
            assert Address(bytes([127, 0, 0, 1]), clients[-1][0].getsockname()[1]) in arrived
        assert listener.close() == []

    play(block, ordinary=ordinary)


@everybody
def test_what_comes_directly_is_dropped(ordinary: bool) -> None:
    def block() -> None:
        rules = Rules()
        listener = redirect(rules, 80)
        for host in ("127.0.0.1", "::1"):
            direct = socket.create_connection((host, listener.port), 10)
            asked = socket.create_connection((host, 80), 10)
            arrived = trio.run(arrivals, listener, 1)
            assert name(asked, asked.getsockname()) == arrived[0][1]
            with pytest.raises(ConnectionResetError):
                direct.recv(1)

    play(block, ordinary=ordinary)


def test_without_rules_everything_is_dropped() -> None:
    def block() -> None:
        listener = RedirectListener(80, LOG)
        client = socket.create_connection(("127.0.0.1", listener.port), 10)
        assert listener.close() == []
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    play(block, ordinary=True)


def test_marked_connections_pass() -> None:
    def block() -> None:
        rules = Rules()
        listener = redirect(rules, 80)
        server = socket.create_server(("127.0.0.1", 80))
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, SOCKET_MARK)
        client.connect(("127.0.0.1", 80))
        assert server.accept()[1] == client.getsockname()
        assert listener.close() == []

    play(block, ordinary=True)


def test_what_has_come_is_there_after_the_end() -> None:
    def block() -> None:
        rules = Rules()
        listener = redirect(rules, 80)
        clients = [socket.create_connection(("127.0.0.1", 80)) for _ in range(3)]
        rules.drop(80)
        assert {peer.port for _, peer, _ in listener.close()} == {client.getsockname()[1] for client in clients}

    play(block, ordinary=True)


def test_without_descriptors_it_waits_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def block() -> None:
        rules, said = Rules(), list[str]()

        def log(level: str, event: str, **_: object) -> None:
            said.append(event)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        listener = RedirectListener(80, log)  # type: ignore[arg-type]
        rules.take(80, "test")
        rules.redirect(80, listener.port, mark=SOCKET_MARK, loopback=True, mesh=None)
        client = socket.create_connection(("127.0.0.1", 80))

        async def run() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
            full = []
            with pytest.raises(OSError, match="Too many open files"):
                while True:
                    full.append(socket.socket())
            await arrivals(listener, 1)

        trio.run(run)
        assert said == ["no connection can be accepted"]

    play(block, ordinary=True)


def test_a_listener_that_somebody_ended() -> None:
    listener = RedirectListener(80, LOG)
    listener._socket.shutdown(socket.SHUT_RDWR)  # as `ss -K` does

    async def run() -> None:
        with trio.fail_after(5):
            await listener.run(lambda arrived: pytest.fail(str(arrived)))

    with pytest.raises(OSError, match="Invalid argument"):
        trio.run(run)
    assert listener.close() == []


def test_where_there_is_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old(Sockets):
        def open(self, family: int, kind: int) -> socket.socket:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            return super().open(family, kind)

    monkeypatch.setattr(driver, "Sockets", Old)

    def block() -> None:
        rules = Rules()
        listener = redirect(rules, 80)
        client = socket.create_connection(("127.0.0.1", 80))
        made, peer, local = trio.run(arrivals, listener, 1)[0]
        assert (peer, local) == (name(client, client.getsockname()), Address(bytes([127, 0, 0, 1]), 80))
        made.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    play(block, ordinary=True)


def test_an_agent_that_is_killed_when_it_has_accepted() -> None:
    """It had no time to do anything to the connection: that is reset all the same, not ended."""
    listener = RedirectListener(1, LOG)
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as client:
        killed_after("_accept", lambda: trio.run(arrivals, listener, 1))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    listener.close()


def test_its_own_port_is_another_than_the_subscribed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = driver._bind(), driver._bind()
    bound = iter((first, second))
    monkeypatch.setattr(driver, "_bind", lambda: next(bound))
    listener = RedirectListener(first.getsockname()[1], LOG)

    assert listener.port == second.getsockname()[1]
    assert first.fileno() == -1
    listener.close()

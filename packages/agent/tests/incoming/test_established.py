"""Connections of a port that were established before: which are found, which are reset, which are left alone."""

from __future__ import annotations

import errno
import socket

import pytest
import trio

from mirrord_agent.incoming.established import machine
from mirrord_agent.incoming.established.driver import is_own, reset_established
from mirrord_agent.incoming.established.machine import CONNECTED, IPV4, IPV6, Found, State
from network_kit import everybody, neighbour, play

HERE = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
Pair = tuple[socket.socket, socket.socket]


def serve(host: str, port: int, family: socket.AddressFamily) -> tuple[socket.socket, Pair]:
    server = socket.create_server((host, port), family=family)
    client = socket.create_connection((host, port))
    return server, (client, server.accept()[0])


def is_reset(pair: Pair) -> bool:
    """Whether a connection was reset; else it still carries bytes."""
    client, served = pair
    client.settimeout(5)
    try:
        served.send(b"x")
        return client.recv(1) != b"x"
    except ConnectionError:
        with pytest.raises(ConnectionError):
            client.send(b"y")
            client.recv(1)
        return True


@everybody
def test_those_of_both_families_are_reset(ordinary: bool) -> None:
    def block() -> None:
        held = [serve(host, 80, family) for host, family in HERE]
        others = [serve(host, 81, family) for host, family in HERE]
        assert trio.run(lambda: reset_established(80, loopback=True)) == 2

        assert [is_reset(pair) for _, pair in held] == [True, True]
        assert [is_reset(pair) for _, pair in others] == [False, False]
        for server, _ in held:  # the servers serve on
            with socket.create_connection(server.getsockname()[:2]) as client:
                assert server.accept()[1] == client.getsockname()
        assert trio.run(lambda: reset_established(79, loopback=True)) == 0

    play(block, ordinary=ordinary)


@everybody
def test_those_of_a_dual_stack_server_too(ordinary: bool) -> None:
    def block() -> None:
        server = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
        client = socket.create_connection(("127.0.0.1", 80))
        pair = client, server.accept()[0]
        waiting = socket.create_connection(("127.0.0.1", 80))  # accepted by the kernel, not yet by the server
        assert trio.run(lambda: reset_established(80, loopback=True)) == 2
        assert is_reset(pair)
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)

    play(block, ordinary=ordinary)


@everybody
def test_a_port_that_is_the_other_sides(ordinary: bool) -> None:
    """The target is a client of somebody's port 80, and of its own."""

    def block() -> None:
        with neighbour() as near:
            there = near.run(lambda: socket.create_server((near.ITS[0], 80)))
            client = socket.create_connection((near.ITS[0], 80))
            pair = client, there.accept()[0]
            own = socket.create_server(("127.0.0.1", 80))  # has no connection
            assert trio.run(lambda: reset_established(80, loopback=True)) == 0
            assert not is_reset(pair)
            own.close()

    play(block, ordinary=ordinary)


def test_a_client_that_has_the_port_by_chance() -> None:
    def block() -> None:
        server = socket.create_server(("127.0.0.1", 81))
        client = socket.create_connection(("127.0.0.1", 81), source_address=("127.0.0.1", 8080))
        pair = client, server.accept()[0]
        assert trio.run(lambda: reset_established(8080, loopback=True)) == 0
        assert not is_reset(pair)

    play(block, ordinary=True)


@everybody
def test_those_of_the_target_itself_stay_without_loopback(ordinary: bool) -> None:
    def block() -> None:
        with neighbour() as near:
            server = socket.create_server(("", 80))
            inside = socket.create_connection(("127.0.0.1", 80)), server.accept()[0]
            also = socket.create_connection((near.OURS[0], 80)), server.accept()[0]
            client = near.socket()
            client.connect((near.OURS[0], 80))
            outside = client, server.accept()[0]
            assert trio.run(lambda: reset_established(80, loopback=False)) == 1
            assert [is_reset(pair) for pair in (inside, also, outside)] == [False, False, True]

    play(block, ordinary=ordinary)


def test_many() -> None:
    def block() -> None:
        server = socket.create_server(("127.0.0.1", 80), backlog=512)
        pairs = [(socket.create_connection(("127.0.0.1", 80)), server.accept()[0]) for _ in range(300)]
        assert trio.run(lambda: reset_established(80, loopback=True)) == 300
        assert all(is_reset(pair) for pair in pairs)

    play(block, ordinary=True)


def test_own_addresses() -> None:
    assert is_own(bytes([127, 0, 0, 1]))
    assert is_own(bytes(15) + b"\1")
    assert not is_own(bytes([192, 0, 2, 1]))
    assert not is_own(bytes([0x20, 1, 0xD, 0xB8]) + bytes(12))


# ---------------------------------------------------------------------------------------------- messages


def message(kind: int, body: bytes) -> bytes:
    return machine._HEADER.pack(16 + len(body), kind, 0, 1, 0) + body + bytes(-len(body) % 4)


def socket_message(family: int, state: State, peer: bytes) -> bytes:
    identity = machine._ID.pack(80, 4000, bytes(16), peer.ljust(16, b"\0")) + bytes(12)
    return message(20, bytes((family, state, 0, 0)) + identity + bytes(20))


def test_answers_are_read_to_their_end() -> None:
    v4, mapped = bytes([10, 0, 0, 2]), bytes(10) + b"\xff\xff\x0a\0\0\3"
    data = socket_message(IPV4, State.ESTABLISHED, v4) + socket_message(IPV6, State.LISTEN, mapped)
    first, second, last = machine.answers(data + message(3, bytes(4)) + b"rubbish")

    assert isinstance(first, Found) and isinstance(second, Found) and last is None
    assert (first.family, first.state, first.peer) == (IPV4, State.ESTABLISHED, v4)
    assert (second.state, second.peer) == (State.LISTEN, bytes([10, 0, 0, 3]))
    assert len(first.identity) == 48


def test_an_error_instead_of_answers() -> None:
    with pytest.raises(PermissionError):
        list(machine.answers(message(2, machine._ERROR.pack(-errno.EPERM) + bytes(16))))


def test_outcomes() -> None:
    data = message(2, machine._ERROR.pack(0) + bytes(16)) + message(2, machine._ERROR.pack(-errno.ENOENT) + bytes(16))
    good, bad = machine.outcomes(data)

    assert good is None
    assert bad is not None and bad.errno == errno.ENOENT


def test_listeners_and_what_has_ended_are_no_connections() -> None:
    assert not {State.LISTEN, State.TIME_WAIT, State.SYN_SENT, State.CLOSED} & set(CONNECTED)

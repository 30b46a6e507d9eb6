"""Datagrams through an agent's service, to sockets of the test's own."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from agent_kit import failing
from agent_service import serve
from mirrord_protocol.client import Client, DatagramStream
from mirrord_protocol.network_values import NOWHERE, Address

LOOPBACK4 = bytes([127, 0, 0, 1])
LOOPBACK6 = bytes(15) + b"\1"
MAPPED = bytes(10) + b"\xff\xff" + LOOPBACK4


class Received:
    """The datagrams that come to our end."""

    def __init__(self, stream: DatagramStream) -> None:
        self._send, self._receive = trio.open_memory_channel[tuple[Address, bytes]](1000)
        stream.pour_into(lambda address, data: self._send.send_nowait((address, bytes(data))))

    async def next(self) -> tuple[Address, bytes]:
        return await self._receive.receive()


def bound(family: int = socket.AF_INET) -> trio.socket.SocketType:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    return trio.socket.from_stdlib_socket(made)


def port_of(peer: trio.socket.SocketType) -> int:
    port: int = peer.getsockname()[1]
    return port


def run(block: Callable[[Client], Awaitable[None]], tmp_path: Path) -> None:
    serve(tmp_path, block)


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, LOOPBACK4), (socket.AF_INET6, LOOPBACK6)])
def test_there_and_back(family: int, host: bytes, connected: bool, tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        with bound(family) as peer:
            to = Address(host, port_of(peer))
            stream = await client.datagrams(to if connected else NOWHERE, ipv6=family == socket.AF_INET6)
            received = Received(stream)
            assert stream.peer == (to if connected else NOWHERE)
            assert (stream.local.host == host) is connected
            for data in (b"hello", b"", b"x" * 9000):
                assert stream.send(to, data)
                came, sender = await peer.recvfrom(65536)
                assert came == data
                assert sender[1] == stream.local.port
                await peer.sendto(data[::-1], sender)
                assert await received.next() == (to, data[::-1])
            stream.close()

    run(block, tmp_path)


def test_many_peers_of_one_socket(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        peers = [bound() for _ in range(5)]
        stream = await client.datagrams()
        received = Received(stream)
        senders = set()
        for peer in peers:
            stream.send(Address(LOOPBACK4, port_of(peer)), b"hello")
            _, sender = await peer.recvfrom(100)
            senders.add(sender)
            await peer.sendto(b"from %d" % port_of(peer), sender)
            assert await received.next() == (Address(LOOPBACK4, port_of(peer)), b"from %d" % port_of(peer))
        assert len(senders) == 1
        for peer in peers:
            peer.close()
        stream.close()

    run(block, tmp_path)


def test_an_ipv6_socket_reaches_ipv4(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        with bound() as peer:
            stream = await client.datagrams(ipv6=True)
            received = Received(stream)
            for host in (MAPPED, LOOPBACK4):
                stream.send(Address(host, port_of(peer)), b"hello")
                _, sender = await peer.recvfrom(100)
                await peer.sendto(b"good day", sender)
                assert await received.next() == (Address(MAPPED, port_of(peer)), b"good day")
            stream.close()

    run(block, tmp_path)


def test_what_icmp_says_ends_a_connected_socket_alone(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        with bound() as gone, bound() as peer:
            nobody = Address(LOOPBACK4, port_of(gone))
            gone.close()
            stream = await client.datagrams(nobody)
            stream.send(nobody, b"hello")
            await stream.wait_over()
            assert stream.failure and stream.failure.errno == "ECONNREFUSED"
            stream = await client.datagrams()
            for address in (nobody, Address(LOOPBACK6, 1), NOWHERE, Address(bytes([255] * 4), 1)):
                stream.send(address, b"lost")
            stream.send(Address(LOOPBACK4, port_of(peer)), b"x" * 65507)
            data, sender = await peer.recvfrom(65536)
            assert len(data) == 65507
            received = Received(stream)
            await peer.sendto(data, sender)
            assert (await received.next())[1] == data
            stream.close()

    run(block, tmp_path)


def test_one_that_is_too_large_is_lost(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        with bound() as peer:
            to = Address(LOOPBACK4, port_of(peer))
            stream = await client.datagrams(to)
            assert stream.send(to, b"x" * 65508)
            stream.send(to, b"fits")
            assert await peer.recv(65536) == b"fits"
            stream.close()

    run(block, tmp_path)


def test_a_flood_in_either_direction(tmp_path: Path) -> None:
    """What comes through is whole; what doesn't is lost, and holds nothing up."""

    async def block(client: Client) -> None:
        with bound() as peer:
            to = Address(LOOPBACK4, port_of(peer))
            stream = await client.datagrams(to)
            received = Received(stream)
            for number in range(500):
                stream.send(to, number.to_bytes(2, "big") * 1000)
            first, sender = await peer.recvfrom(65536)
            assert first == bytes(2000)
            for number in range(500):
                await peer.sendto(number.to_bytes(2, "big") * 1000, sender)
            assert (await received.next())[1] == bytes(2000)
            assert (await client.stat(b"/")).mode
            stream.close()

    run(block, tmp_path)


def test_sockets_that_cannot_be_had(tmp_path: Path) -> None:
    async def block(client: Client) -> None:
        assert await failing(client.datagrams(Address(b"\xfe\x80" + bytes(13) + b"\1", 80))) == "EINVAL"
        assert await failing(client.datagrams(Address(bytes([255] * 4), 80))) in {"EACCES", "ENETUNREACH"}

    run(block, tmp_path)

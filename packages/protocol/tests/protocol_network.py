"""A service of real sockets for tests: connections, subscriptions and datagrams on loopback; programs' halves too."""

from __future__ import annotations

import contextlib
import functools
import math
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from mirrord_protocol.client import Client
from mirrord_protocol.connections import Connection
from mirrord_protocol.network_values import (
    Address,
    Connect,
    Datagrams,
    NameOutcome,
    Query,
    Records,
    Resolve,
    Resolved,
    Reverse,
    Subscribe,
    Subscribed,
    UnixAddress,
)
from mirrord_protocol.relay import relay
from mirrord_protocol.server import Reply
from mirrord_protocol.values import Hello, Request, Welcome
from protocol_samples import ADDRESS6, TARGET
from protocol_service import connected, socket_streams

LOOPBACK = bytes([127, 0, 0, 1])


def address(name: tuple[str, int]) -> Address:
    """An IPv4 socket's name as a value."""
    return Address(sockets.inet_aton(name[0]), name[1])


def loopback(port: int) -> Address:
    """A port of this machine's loopback."""
    return Address(LOOPBACK, port)


class NetworkService:
    """What an agent does, on this machine. Ports are what they are; a subscription's listener is told by `listening`."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.subscribed: list[Reply] = []
        self.log: list[str] = []
        """When subscriptions began and ended."""
        self.connected: list[Connection] = []

    async def welcome(self, hello: Hello) -> Welcome:
        return Welcome(target=TARGET)

    def closed(self, request_id: int) -> None:
        raise AssertionError("nothing of files was asked")

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        match request:
            case Connect(to):
                await self._connect(to, reply)
            case Subscribe(port=port):
                self.log.append(f"begin {port}")
                reply.answer(Subscribed())
                self.subscribed.append(reply)
                try:
                    await trio.sleep_forever()
                finally:
                    self.log.append(f"end {port}")
            case Datagrams():
                await self._datagrams(reply)
            case Resolve(name):
                known = loopback(0) if name == b"localhost" else ADDRESS6
                reply.answer(Resolved(outcome=NameOutcome.FOUND, addresses=(known,), name=name, lifetime=5))
            case Reverse(address_):
                reply.answer(Resolved(outcome=NameOutcome.FOUND, name=str(address_).encode()))
            case Query(message):
                reply.answer(Records(message[::-1]))

    async def _connect(self, to: Address | UnixAddress, reply: Reply) -> None:
        if isinstance(to, UnixAddress):
            socket = trio.socket.socket(sockets.AF_UNIX)
            await socket.connect(to.path)
            local: Address | UnixAddress = UnixAddress(b"")
        else:
            socket = trio.socket.socket()
            try:
                await socket.connect((sockets.inet_ntoa(to.host), to.port))
            except OSError:
                socket.close()
                raise
            local = address(socket.getsockname())
        connection = reply.connect(local, to)
        self.connected.append(connection)
        await relay(socket, connection)

    async def _datagrams(self, reply: Reply) -> None:
        with trio.socket.socket(type=sockets.SOCK_DGRAM) as socket:
            await socket.bind(("127.0.0.1", 0))
            stream = reply.open_datagrams(address(socket.getsockname()))
            real = sockets.socket(fileno=sockets.dup(socket.fileno()))
            with real:

                def send(to: Address, data: bytes | memoryview) -> None:
                    real.sendto(data, (sockets.inet_ntoa(to.host), to.port))

                stream.pour_into(send)
                while True:
                    data, sender = await socket.recvfrom(65536)
                    stream.send(address(sender), data)

    def come(self, reply: Reply) -> trio.SocketStream:
        """Let a connection come to a subscription; return its client's half."""
        one, other = tcp_pair()
        self._nursery.start_soon(relay, other, reply.incoming(address(one.getsockname()), address(one.getpeername())))
        return trio.SocketStream(one)


_opened: list[trio.socket.SocketType] = []


def keep(socket: trio.socket.SocketType) -> trio.socket.SocketType:
    """Close a socket with the network that it is used in."""
    _opened.append(socket)
    return socket


def tcp_pair() -> tuple[trio.socket.SocketType, trio.socket.SocketType]:
    """Two sockets connected over loopback."""
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        one = sockets.create_connection(listener.getsockname())
        other, _ = listener.accept()
    return keep(trio.socket.from_stdlib_socket(one)), keep(trio.socket.from_stdlib_socket(other))


@asynccontextmanager
async def network() -> AsyncIterator[tuple[Client, NetworkService, trio.Nursery]]:
    """A client of a NetworkService over a socket pair, and a nursery that ends with the block."""
    try:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                service = NetworkService(nursery)
                async with connected(service, socket_streams()) as (client, _):
                    yield client, service, nursery
                nursery.cancel_scope.cancel()
    finally:
        while _opened:
            _opened.pop().close()


class Accepted:
    """The connections of a subscription, in their order; given to `subscribe`."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Connection](math.inf)

    def __call__(self, connection: Connection) -> None:
        self._send.send_nowait(connection)

    async def take(self) -> Connection:
        """The next one."""
        return await self._receive.receive()


async def echo(stream: trio.SocketStream) -> None:
    """Send back what comes, and the end."""
    with contextlib.suppress(trio.BrokenResourceError):
        async for data in stream:
            await stream.send_all(data)


async def listen(nursery: trio.Nursery, handler: Callable[[trio.SocketStream], Awaitable[object]] = echo) -> Address:
    """Serve a port of loopback; return it."""
    serve = functools.partial(trio.serve_tcp, handler, 0, host="127.0.0.1")
    listeners: list[trio.SocketListener] = await nursery.start(serve)
    return loopback(listeners[0].socket.getsockname()[1])


async def program(client: Client, nursery: trio.Nursery, to: Address | UnixAddress) -> trio.SocketStream:
    """Connect as a program does over its session; return the program's half."""
    connection = await client.connect(to)
    one, other = tcp_pair()
    nursery.start_soon(relay, other, connection)
    return trio.SocketStream(one)


async def receive_all(stream: trio.SocketStream) -> bytes:
    """Everything up to the end."""
    return b"".join([bytes(data) async for data in stream])


async def stolen(service: NetworkService, accepted: Accepted) -> tuple[Connection, Connection]:
    """Let a connection come; return the session's and the agent's end."""
    there = service.subscribed[0].incoming(loopback(5), loopback(80))
    return await accepted.take(), there

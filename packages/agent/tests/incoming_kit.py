"""Subscriptions for tests: a session and an agent's Incoming joined by the real protocol, in namespaces of their own.

The agent here is a part in the test's own process; the real one is started by agent_kit.py.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

import network_kit
from mirrord_agent.incoming.driver import Incoming
from mirrord_agent.log import Log
from mirrord_protocol.client import Client, Connection
from mirrord_protocol.network_values import Address, Subscribe
from mirrord_protocol.server import Reply
from mirrord_protocol.testing.driver import TOKEN, open_paired
from mirrord_protocol.values import Hello, Request, Target, Welcome

OWNER = "alice on laptop, process 7"
LOG = Log("error")


class PortService:
    """An agent that does nothing but subscriptions."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    async def welcome(self, hello: Hello) -> Welcome:
        target = Target(pid=1, uid=0, gid=0, name=b"", hostname=b"", working_directory=b"/")
        return Welcome(target=target, environment=())

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        assert isinstance(request, Subscribe)
        await self._incoming.serve(request, reply)

    def closed(self, request_id: int) -> None:
        pass


@asynccontextmanager
async def open_session(owner: str = OWNER, log: Log = LOG) -> AsyncIterator[Client]:
    """A session whose agent subscribes in the network namespace that we are in; all of it ends with the block."""
    async with trio.open_nursery() as nursery:
        async with open_paired(PortService(Incoming(nursery, log, owner)), Hello(TOKEN)) as client:
            yield client
        nursery.cancel_scope.cancel()


def run(block: Callable[[], Awaitable[None]], *, ordinary: bool = True) -> None:
    """Run a block in namespaces of its own."""

    async def within() -> None:
        with trio.fail_after(20):
            await block()

    network_kit.play(lambda: trio.run(within), ordinary=ordinary)


class Caller:
    """What a session is given: connections, and what came over each."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Connection](1000)
        self.came: dict[int, bytearray] = {}
        self._events: dict[int, trio.Event] = {}

    def accept(self, connection: Connection) -> None:
        """For `Client.subscribe`."""
        self._send.send_nowait(connection)

    async def next(self, *, reads: bool = True) -> Connection:
        """The next connection; what comes over it is gathered if it `reads`."""
        connection = await self._receive.receive()
        if reads:
            self.read(connection)
        return connection

    def read(self, connection: Connection) -> None:
        """Gather what comes over a connection."""
        data = self.came[connection.id] = bytearray()

        def sink(chunks: Sequence[bytes | memoryview], end: bool) -> None:
            for chunk in chunks:
                data.extend(chunk)
            connection.took(sum(map(len, chunks)))
            self._events.pop(connection.id, trio.Event()).set()

        connection.pour_into(sink)
        connection.when_over(lambda: self._events.pop(connection.id, trio.Event()).set())

    async def wait_for(self, connection: Connection, data: bytes) -> None:
        """Return when that has come, and nothing else."""
        while self.came[connection.id] != data:
            assert data.startswith(self.came[connection.id]) and not connection.over
            event = self._events[connection.id] = trio.Event()
            await event.wait()

    def nothing_came(self) -> bool:
        """Whether no connection waits to be taken."""
        return not self._receive.statistics().current_buffer_used


class Echo:
    """A server of the target: says hello first, then says back what it hears."""

    HELLO: bytes = b"220 target\n"

    def __init__(self, port: int = 80) -> None:
        self._listener = trio.socket.from_stdlib_socket(
            socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        )
        self.peers: list[Any] = []

    async def run(self) -> None:
        """Serve until cancelled."""
        with self._listener:
            async with trio.open_nursery() as nursery:
                while True:
                    made, peer = await self._listener.accept()
                    self.peers.append(peer)
                    nursery.start_soon(self._serve, trio.SocketStream(made))

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await stream.send_all(self.HELLO)
                async for data in stream:
                    await stream.send_all(data)
        except trio.BrokenResourceError:
            pass


async def connect(host: str, port: int = 80, made: socket.socket | None = None) -> trio.SocketStream:
    """A client of the target; `made`: a neighbour's socket."""
    if made is None:
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setblocking(False)
    client = trio.socket.from_stdlib_socket(made)
    await client.connect((host, port))
    return trio.SocketStream(client)


def own_address(client: trio.SocketStream) -> Address:
    """Where a client is."""
    return _address(client.socket.family, client.socket.getsockname())


def peer_address(client: trio.SocketStream) -> Address:
    """Where a client wanted to go."""
    return _address(client.socket.family, client.socket.getpeername())


def _address(family: int, name: Any) -> Address:
    return Address(socket.inet_pton(family, name[0]), name[1], name[3] if len(name) > 2 else 0)


async def receive(client: trio.SocketStream, size: int) -> bytes:
    """So many bytes."""
    data = bytearray()
    while len(data) < size:
        part = await client.receive_some(size - len(data))
        assert part, bytes(data)
        data += part
    return bytes(data)


async def rules_gone(name: str) -> None:
    """Return when there is no table of that name."""
    with trio.fail_after(10):
        for wait in itertools.repeat(0.005):
            if name not in network_kit.ruleset():
                return
            await trio.sleep(wait)

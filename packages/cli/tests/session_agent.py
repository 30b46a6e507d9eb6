"""A session in this process with an agent that tests script, over the real protocol; and sockets as the layer makes them.

The agent's target is reached on loopback: which address there stands for one of the target's is told by the test.
"""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import trio

from mirrord_cli.session.log import Log
from mirrord_cli.session.performer.driver import Performer
from mirrord_cli.session.settings import NetworkRules
from mirrord_protocol.client import open_client
from mirrord_protocol.connections import Connection, DatagramStream
from mirrord_protocol.layer_values import LayerOperation, LayerSocket
from mirrord_protocol.network_values import (
    Address,
    Connect,
    Datagrams,
    Subscribe,
    Subscribed,
    UnixAddress,
)
from mirrord_protocol.relay import relay
from mirrord_protocol.server import Reply, serve
from mirrord_protocol.values import Hello, Request, Target, Welcome
from session_layer import Got, begin, channel_pair, finish
from session_network import Bits, at, fate, packed, unpacked
from session_run import settings_for

TOKEN = b"t" * 32
LOCAL = at("10.0.0.2:5000")
"""Where the target's sockets seem to be."""
CLIENT = at("10.0.0.9:7000")
T = TypeVar("T")


class Agent:
    """What stands for the target."""

    def __init__(self, **welcome: Any) -> None:
        self.welcome_options = welcome
        self.places: dict[Address | UnixAddress, Any] = {}
        """Names of real sockets by the target's addresses, or the errno with which these can't be reached."""
        self.held: dict[Address, trio.Event] = {}
        """Connects to these wait for the event."""
        self.refuses: dict[int, OSError] = {}
        """Why ports can't be subscribed to."""
        self.asked: list[Request] = []
        self.cancelled: list[Address] = []
        self.subscriptions: dict[int, Reply] = {}
        self.streams: list[DatagramStream] = []
        self.datagrams: list[tuple[Address, bytes]] = []
        self.connections: list[Connection] = []

    async def welcome(self, hello: Hello) -> Welcome:
        target = Target(1, 0, 0, b"shop", b"pod", b"/")
        return Welcome(target=target, **self.welcome_options)

    def closed(self, request_id: int) -> None:
        pass

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        self.asked.append(request)
        match request:
            case Connect(to):
                await self._connect(to, reply)
            case Datagrams(to):
                if isinstance(place := self.places.get(to), int):
                    raise OSError(place, os.strerror(place))
                stream = reply.open_datagrams(LOCAL, to)
                self.streams.append(stream)
                stream.pour_into(lambda address, data: self.datagrams.append((address, bytes(data))))
                await stream.wait_over()
            case Subscribe():
                if (error := self.refuses.get(request.port)) is not None:
                    raise error
                reply.answer(Subscribed())
                self.subscriptions[request.port] = reply
                try:
                    await trio.sleep_forever()
                finally:  # another of the same port may have begun meanwhile
                    if self.subscriptions.get(request.port) is reply:
                        del self.subscriptions[request.port]

    async def _connect(self, to: Address | UnixAddress, reply: Reply) -> None:
        if isinstance(to, Address) and (held := self.held.get(to)) is not None:
            try:
                await held.wait()
            except trio.Cancelled:
                self.cancelled.append(to)
                raise
        place = self.places.get(to, errno.ENETUNREACH)
        if isinstance(place, int):
            raise OSError(place, os.strerror(place))
        unix = isinstance(to, UnixAddress)
        end = trio.socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
        await end.connect(place)
        connection = reply.connect(UnixAddress(b"") if unix else LOCAL, to)
        self.connections.append(connection)
        await relay(end, connection)

    def arrive(self, port: int, peer: Address = CLIENT) -> Connection:
        """A client connects to a port of the target."""
        return self.subscriptions[port].incoming(peer, at("10.0.0.2", port))


class Program:
    """A session, and the layer's part in it."""

    def __init__(
        self, session: Performer, link: socket.socket, agent: Agent, cut: Callable[[], Awaitable[None]]
    ) -> None:
        self.session = session
        self.link = link
        self.agent = agent
        self.cut = cut
        """Ends the agent."""
        self.bits = Bits(memoryview(session.memory.map))

    async def begin(self, operation: LayerOperation, payload: bytes = b"", **rest: Any) -> socket.socket:
        """Ask; the channel on which the answer will come."""
        return await self.wait(partial(begin, self.link, operation, payload, **rest))

    async def ask(self, operation: LayerOperation, payload: bytes = b"", **rest: Any) -> Got:
        got = await self.wait(finish, await self.begin(operation, payload, **rest))
        assert got is not None
        return got

    @staticmethod
    async def wait(call: Callable[..., T], *args: Any) -> T:
        """Call something that blocks."""
        return await trio.to_thread.run_sync(call, *args, abandon_on_cancel=True)

    async def connect(self, end: socket.socket, to: Address, flags: int = 0, **rest: Any) -> str:
        """Connect as the layer does; what the program gets."""
        if not end.getblocking():
            flags |= LayerSocket.NON_BLOCKING
        got = await self.ask(LayerOperation.CONNECT, packed(to), inode=inode(end), flags=flags, **rest)
        if fate(got.reply) != "done":
            return fate(got.reply)
        name = got.payload if end.family == socket.AF_UNIX else name_of(unpacked(got.payload)[0])
        if end.getblocking():
            await self.wait(end.connect, name)
            return "done"
        try:
            end.connect(name)
        except BlockingIOError:
            await self.ask(LayerOperation.CONNECTING, packed(own(end)), inode=inode(end))
            return "EINPROGRESS"
        return "done"

    async def outcome(self, end: socket.socket) -> str:
        return fate((await self.ask(LayerOperation.OUTCOME, inode=inode(end))).reply)

    async def describe(self, end: socket.socket, peer: Address | None = None) -> tuple[str, ...]:
        """What the layer would say of a socket: own and peer's address; nothing: they are as they are."""
        if peer is None:
            peer = address_of(end.getpeername())
        got = await self.ask(LayerOperation.DESCRIBE, packed(own(end), peer), inode=inode(end))
        return unpacked(got.payload)

    async def listen(self, end: socket.socket) -> tuple[str, str]:
        """Say that a socket listens; the answer, and the text for standard error."""
        flags = LayerSocket.IPV6 if end.family == socket.AF_INET6 else LayerSocket(0)
        if flags and end.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            flags |= LayerSocket.IPV6_ONLY
        got = await self.ask(LayerOperation.LISTEN, packed(own(end)), inode=inode(end), flags=flags)
        return fate(got.reply), got.payload.decode()


def inode(end: socket.socket) -> int:
    return os.fstat(end.fileno()).st_ino


def address_of(name: tuple[Any, ...]) -> Address:
    return at(name[0] if ":" not in name[0] else f"[{name[0]}]", name[1])


def own(end: socket.socket) -> Address:
    return address_of(end.getsockname())


def name_of(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something holds."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process's, or the kernel's
            await trio.sleep(0.005)


def listener(family: int = socket.AF_INET, host: str | None = None) -> socket.socket:
    """A server of the target's, or of a program."""
    end = socket.socket(family, socket.SOCK_STREAM)
    end.bind((host or ("127.0.0.1" if family == socket.AF_INET else "::1"), 0))
    end.listen(1000)
    return end


def descriptors() -> list[str]:
    """What this process has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the listing's own
            found.append(f"{name}: {os.readlink(f'/proc/self/fd/{name}')}")
    return sorted(found)


@asynccontextmanager
async def program(
    folder: Path, rules: NetworkRules | None = None, limit: int = 4096, **welcome: Any
) -> AsyncIterator[Program]:
    """A session with a scripted agent, in this task's nursery; no descriptor may be left of it."""
    before = descriptors()
    with ExitStack() as stack:
        stack.callback(gc.unfreeze)  # which a session never does: it has its process for itself
        log = Log(None)
        stack.callback(log.close)
        settings = settings_for(os.getpid(), folder, network=rules or NetworkRules())
        session = Performer(settings, limit, log)
        stack.callback(session.close)
        session.prepare()
        link, inherited = map(stack.enter_context, channel_pair())
        back = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK))
        back.bind(f"\0mirrord-test-{os.urandom(8).hex()}")
        back.listen()
        async with _serve(session, inherited, back, Agent(**welcome)) as (agent, cut):
            running = Program(session, link, agent, cut)
            stack.callback(running.bits.close)
            yield running
    assert set(descriptors()) <= set(before), set(descriptors()) - set(before)


@asynccontextmanager
async def _serve(
    session: Performer, inherited: socket.socket, back: socket.socket, agent: Agent
) -> AsyncIterator[tuple[Agent, Callable[[], Awaitable[None]]]]:
    ends = trio.socket.socketpair()
    ready = trio.Event()

    async def tell_ready() -> None:
        await until(lambda: session._links._links)
        ready.set()

    async def cut() -> None:
        """The agent is gone."""
        ends[1].shutdown(socket.SHUT_RDWR)
        await until(lambda: session._machine.is_lost)

    serving = partial(serve, trio.SocketStream(ends[1]), token_digest=hashlib.sha256(TOKEN).digest(), service=agent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serving)
        async with open_client(trio.SocketStream(ends[0]), Hello(TOKEN)) as client, trio.open_nursery() as inner:
            inner.start_soon(session.serve, client, inherited, back, tell_ready)
            await ready.wait()
            with trio.fail_after(30):
                yield agent, cut
            inner.cancel_scope.cancel()
        nursery.cancel_scope.cancel()

"""The session's end over a Trio stream, as a typed client: `open_client` is where a user of this package begins.

Ids, credit and order are session_end.py's business, bytes driver.py's. The counterpart is server.py.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from mirrord_protocol.client.calls import Accept, Call, Session
from mirrord_protocol.client.remote_files import DataStream, Listing, RemoteFile, read
from mirrord_protocol.client.streams import ConnectionStream
from mirrord_protocol.connections import Connection, DatagramStream
from mirrord_protocol.failure import ConnectionLost, RemoteError, RemoteProtocolError
from mirrord_protocol.messages import decode_chunks
from mirrord_protocol.network_values import (
    NOWHERE,
    Address,
    Connect,
    Connected,
    Datagrams,
    Families,
    Query,
    Records,
    Resolve,
    Resolved,
    Reverse,
    Subscribe,
    Subscribed,
    SubscribeMode,
    UnixAddress,
)
from mirrord_protocol.session_end import Statistics
from mirrord_protocol.values import (
    NO_FLAGS,
    Answer,
    DirectoryEntry,
    Failure,
    FailureKind,
    FileSystem,
    FileSystemOf,
    Form,
    Hello,
    ListDirectory,
    Listed,
    Open,
    Opened,
    OpenFlag,
    ReadLink,
    RealPath,
    Request,
    Stat,
    StatPath,
    Welcome,
)

GOODBYE = Failure(FailureKind.GONE, None, "the session has ended")
BOTH = Families.IPV4 | Families.IPV6
PIECE = 4 << 20
"""Bytes of a large file that are asked for at once."""
A = TypeVar("A", bound=Answer)


class Subscription:
    """The connections that come to a port of the target, until `close`; each is given to the function of `subscribe`."""

    def __init__(self, session: Session, id_: int, call: Call, port: int) -> None:
        self.id = id_
        self.port = port
        self._session = session
        self._call = call

    @property
    def failure(self) -> Failure | None:
        """Why it ended without `close`: the agent's failure, or its loss."""
        return self._call.failure or self._call.lost

    async def wait_over(self) -> None:
        """Return when nothing more will come."""
        await trio.lowlevel.checkpoint()
        while not (self.failure or self._call.closed):
            await self._call.wait()

    def check(self) -> None:
        """Raise RemoteError or ConnectionLost if it ended without `close`."""
        if self.failure is not None:
            self._call.check()

    def close(self) -> None:
        """Want no more, one way; connections that came live on."""
        if not self.failure:
            self._session.close(self.id, self._call)


class _Connections(AsyncIterator[ConnectionStream]):
    """The connections of a subscription, in their order."""

    def __init__(self, subscription: Subscription, came: trio.MemoryReceiveChannel[Connection]) -> None:
        self._subscription = subscription
        self._came = came

    async def __anext__(self) -> ConnectionStream:
        try:
            return ConnectionStream(await self._came.receive())
        except trio.EndOfChannel:
            self._subscription.check()
            raise StopAsyncIteration from None


class Client:
    """A session with an agent; made by `open_client`.

    Each call raises RemoteError for what the target or the agent answers, and ConnectionLost when the agent is gone.
    Cancelling a call closes its id on the agent.
    """

    def __init__(self, session: Session, welcome: Welcome) -> None:
        self.welcome = welcome
        self._session = session

    @property
    def round_trips(self) -> int:
        """Requests asked so far."""
        return self._session.connection.asked

    def statistics(self) -> Statistics:
        """Return what the connection has done so far."""
        return self._session.connection.statistics()

    async def wait_lost(self) -> Failure:
        """Return when the agent is gone, with the reason."""
        await self._session.driver.wait_over()
        return self._session.reason

    async def stat(self, path: bytes, *, follow: bool = True) -> Stat:
        """Return the stat of an absolute path; of a link itself unless `follow`."""
        return await self._ask(StatPath(path, follow), Stat)

    async def readlink(self, path: bytes) -> bytes:
        """Return what a link holds."""
        return await self._ask(ReadLink(path), bytes)

    async def realpath(self, path: bytes) -> bytes:
        """Return the path of what a path leads to, without links."""
        return await self._ask(RealPath(path), bytes)

    async def file_system(self, path: bytes) -> FileSystem:
        """Return what statfs(2) says."""
        return await self._ask(FileSystemOf(path), FileSystem)

    async def open(
        self, path: bytes, *, flags: OpenFlag = NO_FLAGS, content: int = 1 << 20, head: int = 1 << 17
    ) -> RemoteFile:
        """Open a path for reading.

        The whole content follows if it has at most `content` bytes, else `head` bytes of its beginning.
        """
        id_, call, opened = await self._session.ask(Open(path, flags, content, head), Opened)
        return RemoteFile(self._session, DataStream(self._session, id_, call), opened)

    async def list(self, path: bytes, *, watch: bool = False) -> Listing:
        """List a directory with the stats of its entries; `watch` asks to be told of a change."""
        id_, call, listed = await self._session.ask(ListDirectory(path, watch), Listed)
        return Listing(self._session, DataStream(self._session, id_, call), listed, call)

    def read(self, handle: int, offset: int, length: int) -> DataStream:
        """Ask for bytes of an open file, at once, without waiting. Raises ConnectionLost."""
        return read(self._session, handle, offset, length)

    async def resolve(
        self, name: bytes, *, families: Families = BOTH, canonical_name: bool = False, configured_only: bool = False
    ) -> Resolved:
        """Return a name's addresses as the target sees them; that there are none is an outcome, not an error."""
        return await self._ask(Resolve(name, families, canonical_name, configured_only), Resolved)

    async def reverse(self, address: Address) -> Resolved:
        """Return an address's name as the target sees it."""
        return await self._ask(Reverse(address), Resolved)

    async def query(self, message: bytes, *, search: bool = False) -> bytes:
        """Return what the target's servers answer to a DNS message, with its search list applied or not."""
        return (await self._ask(Query(message, search), Records)).message

    async def connect(self, to: Address | UnixAddress) -> Connection:
        """Connect from the target's network (TCP, or a Unix stream); RemoteError has the target's errno."""
        channel = (await self._session.ask(Connect(to), Connected))[1].channel
        assert isinstance(channel, Connection)  # calls.py made it for this request
        return channel

    async def datagrams(self, to: Address = NOWHERE, *, ipv6: bool = False) -> DatagramStream:
        """Open a UDP socket in the target's network, connected if `to` is given."""
        channel = (await self._session.ask(Datagrams(to, ipv6), Connected))[1].channel
        assert isinstance(channel, DatagramStream)  # calls.py made it for this request
        return channel

    async def subscribe(
        self, port: int, mode: SubscribeMode, accept: Accept, *, loopback: bool = True, reset: bool = True
    ) -> Subscription:
        """Have the connections to a TCP port of the target, or copies of them, given to `accept`, which must not wait.

        Of a mirrored connection only what the client sends comes; nothing can be sent. `loopback`: those too that come
        from the target itself; `reset`: reset connections established before.
        """
        request = Subscribe(port=port, mode=mode, loopback=loopback, reset=reset)
        id_, call, _ = await self._session.ask(request, Subscribed, accept)
        return Subscription(self._session, id_, call, port)

    # ------------------------------------------------------------------------------------------ on top of these

    @property
    def environment(self) -> dict[bytes, bytes]:
        """The target's environment, as far as `hello` asked for it."""
        return dict(self.welcome.environment)

    async def read_file(self, path: bytes) -> bytes:
        """Return the whole content of a file."""
        return b"".join([chunk async for chunk in self.read_chunks(path)])

    async def read_chunks(self, path: bytes) -> AsyncIterator[bytes | memoryview]:
        """Yield the content of a file, or what comes out of a FIFO or device, as it comes. To be read to its end."""
        file = await self.open(path, head=0)
        try:
            match file.opened.form:
                case Form.DIRECTORY:
                    raise RemoteError(Failure(FailureKind.SYSTEM, "EISDIR", "Is a directory"))
                case Form.WHOLE | Form.STREAM:
                    async for chunk in file.data:
                        yield chunk
                case _:
                    at, size = 0, PIECE
                    while size == PIECE:
                        size = 0
                        async for chunk in file.read(at, PIECE):
                            size += len(chunk)
                            yield chunk
                        at += size
        finally:
            file.close()

    async def listdir(self, path: bytes) -> tuple[DirectoryEntry, ...]:
        """Return a directory's entries with their stats, in the target's order, without "." and ".."."""
        listing = await self.list(path)
        try:
            entries = decode_chunks(await listing.data.receive_all())
            return tuple(entry for entry in entries if entry.name not in {b".", b".."})
        finally:
            listing.close()

    async def connect_stream(self, to: Address | UnixAddress) -> ConnectionStream:
        """Connect as `connect` does, and return a stream of Trio's."""
        return ConnectionStream(await self.connect(to))

    @asynccontextmanager
    async def incoming(
        self, port: int, mode: SubscribeMode, *, loopback: bool = True, reset: bool = False
    ) -> AsyncIterator[AsyncIterator[ConnectionStream]]:
        """Subscribe as `subscribe` does, for the length of a block; yields an iterator of the connections that come.

        The iterator raises RemoteError or ConnectionLost when nothing more can come.
        """
        send, receive = trio.open_memory_channel[Connection](math.inf)
        subscription = await self.subscribe(port, mode, send.send_nowait, loopback=loopback, reset=reset)

        try:
            async with trio.open_nursery() as nursery:

                async def close_at_the_end() -> None:
                    await subscription.wait_over()
                    send.close()

                nursery.start_soon(close_at_the_end)
                yield _Connections(subscription, receive)
                nursery.cancel_scope.cancel()
        finally:
            subscription.close()

    async def _ask(self, request: Request, kind: type[A]) -> A:
        return (await self._session.ask(request, kind))[2]


@asynccontextmanager
async def open_client(stream: trio.abc.Stream, hello: Hello) -> AsyncIterator[Client]:
    """Begin a session over a connected stream, and end it with the block; closes the stream.

    Raises RemoteError if the agent refuses the session (the text says which side to upgrade), RemoteProtocolError if
    the other side is no agent, ConnectionLost if it goes away before it answers.
    """
    session = Session(stream, hello)
    error: Exception | None = None
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(session.driver.run)
        await session.welcomed.wait()
        if session.welcome:
            try:
                yield Client(session, session.welcome)
            except Exception as from_block:  # noqa: BLE001 - raised again, outside of the nursery that would wrap it
                error = from_block
            with trio.CancelScope(shield=True):
                await session.driver.close(GOODBYE)
    if error:
        raise error
    if session.welcome is None:
        if session.driver.refused:
            raise RemoteError(session.reason)
        if session.reason.kind == FailureKind.PROTOCOL:
            raise RemoteProtocolError(session.reason.text)
        raise ConnectionLost(session.reason)

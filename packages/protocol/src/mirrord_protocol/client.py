"""The session's end over a Trio stream, as a typed client: `open_client` is where a user of this package begins.

Ids, credit and order are session_end.py's business, bytes driver.py's. The counterpart is server.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from mirrord_protocol.connection import Action, Answered, ChangedReceived, DataReceived, Over, Welcomed
from mirrord_protocol.driver import Driver
from mirrord_protocol.failure import ConnectionLost, RemoteError, RemoteProtocolError
from mirrord_protocol.session_end import SessionEnd, Statistics
from mirrord_protocol.values import (
    NO_FLAGS,
    Answer,
    Failure,
    FailureKind,
    FileSystem,
    FileSystemOf,
    Hello,
    ListDirectory,
    Listed,
    Open,
    Opened,
    OpenFlag,
    Read,
    ReadLink,
    RealPath,
    Request,
    Stat,
    StatPath,
    Welcome,
)

__all__ = [
    "Client",
    "ConnectionLost",
    "DataStream",
    "Listing",
    "RemoteError",
    "RemoteFile",
    "Statistics",
    "open_client",
]

GOODBYE = Failure(FailureKind.GONE, None, "the session has ended")
A = TypeVar("A", bound=Answer)
Sink = Callable[[Sequence[bytes | memoryview]], None]


class _Call:
    """What came for one id and wasn't taken yet."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.failure: Failure | None = None
        self.lost: Failure | None = None
        self.chunks: deque[bytes | memoryview] = deque()
        self.sink: Sink | None = None
        self.ended = False
        self.changed = False
        self.closed = False
        self.came = trio.Event()

    def wake(self) -> None:
        self.came.set()

    async def wait(self) -> None:
        self.came = trio.Event()
        await self.came.wait()

    def check(self) -> None:
        """Raise what stands in the way of waiting on."""
        if self.failure:
            raise RemoteError(self.failure)
        if self.lost:
            raise ConnectionLost(self.lost)
        if self.closed:
            raise trio.ClosedResourceError("closed before its end")


class _Session:
    """What the public classes share: the connection, its driver, and a call for each id that is alive."""

    def __init__(self, stream: trio.abc.Stream, hello: Hello) -> None:
        self.connection = SessionEnd(trio.current_time())
        self.connection.say_hello(hello)
        self.driver = Driver(stream, self.connection, self._act, settle=self._settle)
        self.welcome: Welcome | None = None
        self.welcomed = trio.Event()
        """Set at the latest when the connection is over."""
        self._calls: dict[int, _Call] = {}
        self._poured: dict[int, _Call] = {}  # those with a sink for which something came just now

    @property
    def reason(self) -> Failure:
        """Why the connection is over."""
        return self.driver.failure or Failure(FailureKind.GONE, None, "the connection is closed")

    def start(self, request: Request) -> tuple[int, _Call]:
        if self.connection.over:
            raise ConnectionLost(self.reason)
        id_ = self.connection.ask(request)
        call = self._calls[id_] = _Call()
        self.driver.wake()
        return id_, call

    async def ask(self, request: Request, kind: type[A]) -> tuple[int, _Call, A]:
        id_, call = self.start(request)
        try:
            while call.answer is None:
                call.check()
                await call.wait()
        except trio.Cancelled:
            self.close(id_, call)
            raise
        assert isinstance(call.answer, kind)  # session_end.py lets no other through
        return id_, call, call.answer

    def took(self, id_: int, size: int) -> None:
        self.connection.take(id_, size)
        if self.connection.wants_to_send(trio.current_time()):
            self.driver.wake()

    def close(self, id_: int, call: _Call) -> None:
        call.closed = True
        call.wake()
        self._calls.pop(id_, None)
        self.connection.close(id_)
        self.driver.wake()

    def _act(self, action: Action) -> None:
        match action:
            case DataReceived(id_, data, end, last):
                call = self._calls[id_]
                call.ended = end
                if call.sink is not None:
                    if data:
                        call.chunks.append(data)
                    self._poured[id_] = call
                    if not end:
                        return
                elif data:
                    call.chunks.append(_own(data))
            case Answered(id_, answer, last):
                call = self._calls[id_]
                if isinstance(answer, Failure):
                    call.failure = answer
                else:
                    call.answer = answer
            case ChangedReceived(id_, last):
                call = self._calls[id_]
                call.changed = True
            case _:
                self._act_for_all(action)
                return
        call.wake()
        if last:
            del self._calls[id_]

    def _settle(self) -> None:
        while self._poured:
            id_, call = self._poured.popitem()
            self.pour(id_, call)

    def pour(self, id_: int, call: _Call) -> None:
        if call.chunks and call.sink is not None and not call.closed:
            chunks = list(call.chunks)
            call.chunks.clear()
            self.took(id_, sum(map(len, chunks)))
            call.sink(chunks)

    def _act_for_all(self, action: Action) -> None:
        match action:
            case Welcomed(welcome):
                self.welcome = welcome
                self.welcomed.set()
            case Over(failure):
                for call in self._calls.values():
                    call.lost = failure
                    call.wake()
                self._calls.clear()
                self.welcomed.set()


class DataStream:
    """The bytes of one id, in order: an async iterator of chunks.

    A chunk is bytes or a view of bytes; it keeps at most four times its size alive. Credit is granted as chunks are
    taken. Iterating raises RemoteError for the stream's bad end, ConnectionLost, and trio.ClosedResourceError after
    `close`; what arrived before comes first. For one consumer at a time.
    """

    def __init__(self, session: _Session, id_: int, call: _Call) -> None:
        self.id = id_
        self._session = session
        self._call = call

    def __aiter__(self) -> DataStream:
        return self

    async def __anext__(self) -> bytes | memoryview:
        await trio.lowlevel.checkpoint()
        call = self._call
        while not call.chunks:
            if call.ended:
                raise StopAsyncIteration
            call.check()
            await call.wait()
        chunk = call.chunks.popleft()
        self._session.took(self.id, len(chunk))
        return chunk

    @property
    def ended(self) -> bool:
        """Whether all of the stream has arrived, well ended."""
        return self._call.ended

    async def pour_into(self, sink: Sink) -> None:
        """Have the rest handed to `sink` the moment it comes, and return at the end; raises what iterating raises.

        The sink is called by whoever reads the connection, with all chunks that came at once: it must not wait.
        """
        call = self._call
        call.sink = sink
        self._session.pour(self.id, call)
        await trio.lowlevel.checkpoint()
        while not call.ended:
            call.check()
            await call.wait()

    async def receive_all(self) -> bytes:
        """Take all chunks up to the stream's end, as one."""
        chunks: list[bytes | memoryview] = []
        await self.pour_into(chunks.extend)
        return b"".join(chunks)

    def close(self) -> None:
        """Want no more of it. For the stream of a `read`; an open file's is closed with the file."""
        self._session.close(self.id, self._call)


class RemoteFile:
    """A path opened on the target. `data` is what follows the answer unasked, by `opened.form`."""

    def __init__(self, session: _Session, data: DataStream, opened: Opened) -> None:
        self.id = data.id
        self.opened = opened
        self.data = data
        self._session = session

    def read(self, offset: int, length: int) -> DataStream:
        """Ask for bytes of the file, at once, without waiting. Fewer than `length` mean the end of the file."""
        return _read(self._session, self.id, offset, length)

    def close(self) -> None:
        """Close the handle, one way. Reads that were asked for before are still carried out."""
        self.data.close()


class Listing:
    """A directory's listing. `data` is a sequence of chunks for `messages.decode_chunks`, taken as a whole."""

    def __init__(self, session: _Session, data: DataStream, listed: Listed, call: _Call) -> None:
        self.id = data.id
        self.listed = listed
        self.data = data
        self._session = session
        self._call = call

    async def wait_changed(self) -> None:
        """Return when something in the directory has changed; wants `listed.watched`.

        Raises ConnectionLost, and trio.ClosedResourceError after `close`.
        """
        await trio.lowlevel.checkpoint()
        while not self._call.changed:
            self._call.check()
            await self._call.wait()

    def close(self) -> None:
        """End the watch, and the data if it hasn't ended, one way."""
        self.data.close()


class Client:
    """A session with an agent; made by `open_client`.

    Each call raises RemoteError for what the target or the agent answers, and ConnectionLost when the agent is gone.
    Cancelling a call closes its id on the agent.
    """

    def __init__(self, session: _Session, welcome: Welcome) -> None:
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
        return _read(self._session, handle, offset, length)

    async def _ask(self, request: Request, kind: type[A]) -> A:
        return (await self._session.ask(request, kind))[2]


def _read(session: _Session, handle: int, offset: int, length: int) -> DataStream:
    id_, call = session.start(Read(handle, offset, length))
    return DataStream(session, id_, call)


def _own(data: bytes | memoryview) -> bytes | memoryview:
    """Return a chunk that keeps at most four times its size alive."""
    if isinstance(data, memoryview) and len(data) * 4 < len(data.obj):  # type: ignore[arg-type] # bytes, by framing.py
        return bytes(data)
    return data


@asynccontextmanager
async def open_client(stream: trio.abc.Stream, hello: Hello) -> AsyncIterator[Client]:
    """Begin a session over a connected stream, and end it with the block; closes the stream.

    Raises RemoteError if the agent refuses the session (the text says which side to upgrade), RemoteProtocolError if
    the other side is no agent, ConnectionLost if it goes away before it answers.
    """
    session = _Session(stream, hello)
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

"""What `Client` returns for files and directories: streams of bytes, open files, listings.

calls.py brings what they hold; driver.py makes them.
"""

from __future__ import annotations

import trio

from mirrord_protocol.client.calls import Call, Session, Sink
from mirrord_protocol.values import Listed, Opened, Read


class DataStream:
    """The bytes of one id, in order: an async iterator of chunks.

    A chunk is bytes or a view of bytes; it keeps at most four times its size alive. Credit is granted as chunks are
    taken. Iterating raises RemoteError for the stream's bad end, ConnectionLost, and trio.ClosedResourceError after
    `close`; what arrived before comes first. For one consumer at a time.
    """

    def __init__(self, session: Session, id_: int, call: Call) -> None:
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

    def __init__(self, session: Session, data: DataStream, opened: Opened) -> None:
        self.id = data.id
        self.opened = opened
        self.data = data
        self._session = session

    def read(self, offset: int, length: int) -> DataStream:
        """Ask for bytes of the file, at once, without waiting. Fewer than `length` mean the end of the file."""
        return read(self._session, self.id, offset, length)

    def close(self) -> None:
        """Close the handle, one way. Reads that were asked for before are still carried out."""
        self.data.close()


class Listing:
    """A directory's listing. `data` is a sequence of chunks for `messages.decode_chunks`, taken as a whole."""

    def __init__(self, session: Session, data: DataStream, listed: Listed, call: Call) -> None:
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


def read(session: Session, handle: int, offset: int, length: int) -> DataStream:
    """Ask for bytes of an open file, at once, without waiting. Raises ConnectionLost."""
    id_, call = session.start(Read(handle, offset, length))
    return DataStream(session, id_, call)

"""Carries out requests about files: each to its calls, in a thread where they may wait, and back.

The calls are ../driver.py's; who asks is ../../server.py.
"""

from __future__ import annotations

import errno
import resource
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from mirrord_agent.files.driver import Files, Found, OpenFile
from mirrord_agent.files.listing.driver import Listing
from mirrord_agent.files.machine import Handles, check_range, handle_limit
from mirrord_agent.files.walk.machine import os_error
from mirrord_agent.files.watches.driver import Watches
from mirrord_agent.workers.driver import STREAMS, Workers
from mirrord_protocol.server import Reply
from mirrord_protocol.values import (
    FileSystemOf,
    Form,
    ListDirectory,
    Listed,
    Open,
    Opened,
    Read,
    ReadLink,
    RealPath,
    Request,
    StatPath,
)

HANDLES = 4096
"""So many may be open at once, where the system gives so many descriptors."""
DESCRIPTORS = 1 << 20
"""Each connection takes one, each file two."""
STREAM_CHUNK = 1 << 16
T = TypeVar("T")


class FileRequests:
    """The files of one target, for one session."""

    def __init__(self, files: Files, watches: Watches, workers: Workers) -> None:
        self._files = files
        self._watches = watches
        self._workers = workers
        self._streams = Workers(STREAMS)
        self._handles: Handles[OpenFile] = Handles(min(HANDLES, handle_limit(_raise_descriptor_limit())))
        self._watched: dict[int, Reply] = {}

    async def pass_on_changes(self) -> None:
        """Tell the session of watched listings that have changed."""
        while True:
            await trio.lowlevel.wait_readable(self._watches.inotify)
            for id_ in self._watches.read():
                if (reply := self._watched.pop(id_, None)) is not None:
                    reply.changed()

    async def carry_out(self, id_: int, request: Request, reply: Reply) -> None:
        """Carry out one request. Raises OSError for what the target's files answer."""
        files = self._files
        match request:
            case StatPath(path, follow):
                reply.answer(
                    await self._either(
                        lambda: files.stat(path, follow=follow, cached=True), lambda: files.stat(path, follow=follow)
                    )
                )
            case ReadLink(path):
                reply.answer(await self._workers.run(lambda: files.readlink(path)))
            case RealPath(path):
                reply.answer(await self._workers.run(lambda: files.realpath(path)))
            case FileSystemOf(path):
                reply.answer(await self._workers.run(lambda: files.file_system(path)))
            case Open():
                await self._open(id_, request, reply)
            case Read():
                await self._read(request, reply)
            case ListDirectory():
                await self._list(id_, request, reply)

    async def _either(
        self, at_once: Callable[[], T], later: Callable[[], T], undo: Callable[[T], object] | None = None
    ) -> T:
        """Make a call without waiting if that can be, else in a thread."""
        try:
            return at_once()
        except BlockingIOError:
            return await self._workers.run(later, undo=undo)

    def closed(self, id_: int) -> None:
        """Let go of what an id held."""
        self._handles.drop(id_)
        self._watched.pop(id_, None)
        self._watches.drop(id_)

    # ------------------------------------------------------------------------------------------ open, read

    async def _open(self, id_: int, request: Open, reply: Reply) -> None:
        files = self._files
        self._handles.reserve(id_)
        arguments = (request.path, request.flags, request.content, request.head)
        found = await self._either(
            lambda: files.open(*arguments, cached=True), lambda: files.open(*arguments), Found.close
        )
        if found.file is not None:
            self._handles.put(id_, found.file)
        reply.answer(Opened(found.stat, found.form, complete=found.form == Form.WHOLE))
        match found.form:
            case Form.WHOLE | Form.LARGE:
                assert found.file
                await reply.send(found.first)
                await self._send(reply, found.file, len(found.first), found.following - len(found.first))
            case Form.STREAM:
                assert found.file
                await self._pass_on(reply, found.file)

    async def _read(self, request: Read, reply: Reply) -> None:
        file = self._handles.get(request.handle)
        if file.form == Form.STREAM:
            raise os_error(errno.ESPIPE)
        await self._send(reply, file, request.offset, check_range(request.offset, request.length))

    async def _send(self, reply: Reply, file: OpenFile, offset: int, length: int) -> None:
        """Send bytes of a file up to its end, and nothing of what it grew by since they were asked for."""
        while length > 0 and reply.alive:
            data = await self._read_some(file, offset, length)
            if not data:
                break
            await reply.send(data)
            offset += len(data)
            length -= len(data)

    async def _read_some(self, file: OpenFile, offset: int, length: int) -> bytes:
        if file.form != Form.REQUEST:
            return await self._either(lambda: file.read(offset, length, cached=True), lambda: file.read(offset, length))
        return await _patiently(file, lambda: self._workers.run(lambda: file.read(offset, length)))

    async def _pass_on(self, reply: Reply, file: OpenFile) -> None:
        """Send what a stream brings, as it comes."""

        async def read() -> bytes:
            if file.ready:
                return file.read_on(STREAM_CHUNK)
            return await self._streams.run(lambda: file.read_on(STREAM_CHUNK))

        if file.ready:  # a FIFO that nobody has opened for writing yet would seem to be at its end
            await _wait_readable(file)
        while reply.alive and (data := await _patiently(file, read)):
            await reply.send(data)

    # ------------------------------------------------------------------------------------------ list

    async def _list(self, id_: int, request: ListDirectory, reply: Reply) -> None:
        self._handles.reserve(id_)

        def undo(listing: Listing) -> None:
            listing.close()
            self._watches.drop(id_)  # again: the thread may have begun to watch after the id was over

        listing = await self._workers.run(lambda: self._files.list(id_, request.path, watch=request.watch), undo=undo)
        try:
            watched = listing.watch is not None and listing.watch.holds
            reply.answer(Listed(listing.stat, watched=watched))
            if watched:
                self._watched[id_] = reply
            await reply.send(listing.first)
            while reply.alive and not listing.ended:
                await reply.send(await self._workers.run(listing.next))
                if listing.watch and not listing.watch.holds and self._watched.pop(id_, None):
                    reply.changed()
        finally:
            listing.close()


async def _patiently(file: OpenFile, read: Callable[[], Awaitable[bytes]]) -> bytes:
    """Read, and wait where nothing is there."""
    while True:
        try:
            return await read()
        except BlockingIOError:
            await _wait_readable(file)


async def _wait_readable(file: OpenFile) -> None:
    with file.descriptor as fd:
        try:
            await trio.lowlevel.wait_readable(fd)
        except PermissionError:  # it says that it would wait, but can't be waited for
            raise os_error(errno.EAGAIN) from None


def _raise_descriptor_limit() -> int:
    """Take as many descriptors as are of use and may be had; return how many there are."""
    soft, hard = (limit if limit != resource.RLIM_INFINITY else sys.maxsize
                  for limit in resource.getrlimit(resource.RLIMIT_NOFILE))  # fmt: skip
    most = min(hard, DESCRIPTORS)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return max(soft, most)

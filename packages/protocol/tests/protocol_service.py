"""A service for tests: answers from a dict of paths, remembers what it was asked, and can be held up."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from mirrord_protocol.client import Client, open_client
from mirrord_protocol.messages import encode_chunk
from mirrord_protocol.server import Reply, serve
from mirrord_protocol.server import Service as ServiceProtocol
from mirrord_protocol.values import (
    Failure,
    FileSystemOf,
    Form,
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
    StatPath,
    Welcome,
)
from protocol_samples import ENTRIES, FILE_SYSTEM, STAT, TARGET, TOKEN

Handle = Callable[[int, Request, Reply], Awaitable[None]]
DIGEST = hashlib.sha256(TOKEN).digest()
HELLO = Hello(TOKEN)


class Service:
    """Files by path; `special` overrides what happens for a path."""

    def __init__(self, files: dict[bytes, bytes] | None = None, *, requests: int = 64, lease: int = 30_000) -> None:
        self.files = files or {}
        self.special: dict[bytes, Handle] = {}
        self.asked: list[tuple[int, Request]] = []
        self.over: list[int] = []
        self.handles: dict[int, bytes] = {}
        self.replies: dict[int, Reply] = {}
        self.greeted: Hello | None = None
        self._welcome = Welcome(target=TARGET, requests=requests, lease=lease)

    async def welcome(self, hello: Hello) -> Welcome:
        self.greeted = hello
        return self._welcome

    def closed(self, request_id: int) -> None:
        self.over.append(request_id)
        self.handles.pop(request_id, None)

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        self.asked.append((request_id, request))
        self.replies[request_id] = reply
        if isinstance(request, Read):
            content = self.handles.get(request.handle)
            if content is None:
                raise OSError(errno.EBADF, "no such handle")
            await reply.send(content[request.offset : request.offset + request.length])
            return
        if special := self.special.get(getattr(request, "path", b"")):
            await special(request_id, request, reply)
            return
        await self._handle_path(request_id, request, reply)

    async def _handle_path(self, request_id: int, request: Request, reply: Reply) -> None:
        match request:
            case StatPath(path, follow):
                reply.answer(replace(STAT, size=len(self._file(path)), mode=STAT.mode if follow else 0o120777))
            case ReadLink(path) | RealPath(path):
                reply.answer(b"to:" + path)
            case FileSystemOf():
                reply.answer(FILE_SYSTEM)
            case ListDirectory(_, watch, _):
                reply.answer(Listed(STAT, watched=watch))
                await reply.send(encode_chunk(ENTRIES[:3]))
                await reply.send(encode_chunk(ENTRIES[3:]))
            case Open(path, flags, limit, head):
                content = self._file(path)
                if flags & OpenFlag.PATH_ONLY:
                    reply.answer(Opened(STAT, Form.NOTHING, complete=False))
                elif len(content) <= limit:
                    reply.answer(Opened(STAT, Form.WHOLE, complete=True))
                    await reply.send(content)
                    reply.end()
                else:
                    self.handles[request_id] = content
                    reply.answer(Opened(STAT, Form.LARGE, complete=False))
                    await reply.send(content[:head])

    def _file(self, path: bytes) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "not in this service", path)
        return self.files[path]


@asynccontextmanager
async def connected(
    service: ServiceProtocol, streams: tuple[trio.abc.Stream, trio.abc.Stream], hello: Hello = HELLO
) -> AsyncIterator[tuple[Client, list[Failure]]]:
    """A client of a service over two joined streams, and a list that gets the reason of the server's end."""
    ended: list[Failure] = []

    async def run_agent() -> None:
        ended.append(await serve(streams[1], token_digest=DIGEST, service=service))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_agent)
        async with open_client(streams[0], hello) as client:
            yield client, ended


def socket_streams() -> tuple[trio.SocketStream, trio.SocketStream]:
    """The two ends of a real socket pair."""
    one, other = trio.socket.socketpair()
    return trio.SocketStream(one), trio.SocketStream(other)

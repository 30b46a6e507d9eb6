"""What the agent does for its session: each request to its calls, in a thread where they may wait, and back.

Calls about files are files/driver.py's, frames and credit the protocol's. The counterpart is the session's agent/.
"""

from __future__ import annotations

import errno
import resource
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

import trio

from mirrord_agent.env import machine as env
from mirrord_agent.files.driver import Files, Found, OpenFile
from mirrord_agent.files.listing.driver import Listing
from mirrord_agent.files.machine import Handles, check_range, handle_limit
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.walk.machine import os_error
from mirrord_agent.files.watches.driver import Watches
from mirrord_agent.incoming.driver import Incoming
from mirrord_agent.log import Log
from mirrord_agent.outgoing.datagrams.driver import carry
from mirrord_agent.outgoing.driver import Outgoing
from mirrord_agent.sockets.driver import Sockets
from mirrord_agent.target import driver as target_driver
from mirrord_agent.target.driver import HeldTarget
from mirrord_agent.target.machine import TargetRefused
from mirrord_agent.workers.driver import STREAMS, Workers
from mirrord_protocol.failure import RemoteError
from mirrord_protocol.network_values import Connect, Datagrams, Query, Resolve, Reverse, Subscribe
from mirrord_protocol.server import Reply, serve
from mirrord_protocol.values import (
    ALL_CAPABILITIES,
    Capability,
    Failure,
    FailureKind,
    FileSystemOf,
    Form,
    Hello,
    Lacking,
    ListDirectory,
    Listed,
    Open,
    Opened,
    Read,
    ReadLink,
    RealPath,
    Request,
    StatPath,
    Target,
    Welcome,
)

HANDLES = 4096
"""So many may be open at once, where the system gives so many descriptors."""
DESCRIPTORS = 1 << 20
"""Each connection takes one, each file two."""
STREAM_CHUNK = 1 << 16
TARGET_ENDED = Failure(FailureKind.GONE, None, "the target has ended")

if TYPE_CHECKING:
    from mirrord_agent.names.driver import Names

T = TypeVar("T")


def load_names() -> None:
    """Load all that finds names: behind the welcome, or before our rights change and may not suffice to read it."""
    from mirrord_agent.names.driver import load

    load()


async def run(
    stream: trio.abc.Stream,
    token_digest: bytes,
    target: HeldTarget | TargetRefused,
    log: Log,
    owner: str = "another session",
) -> Failure:
    """Serve one session to its end, or to the target's. `owner` is how other sessions are told of this one."""
    if isinstance(target, TargetRefused):
        return await serve(stream, token_digest=token_digest, service=RefusingService(target.failure))
    with ExitStack() as stack:
        async with trio.open_nursery() as nursery:
            service = AgentService(target, log, Incoming(nursery, log, owner) if target.rules is None else None)
            stack.callback(service.close)  # when all connections have ended: their resets need its rules
            nursery.start_soon(service.pass_on_changes)
            nursery.start_soon(service.load_names)
            failure = await serve(stream, token_digest=token_digest, service=service, until=service.wait_target_ended)
            await service.leave()
            nursery.cancel_scope.cancel()
    return failure


class RefusingService:
    """Tells a session with the right token why there is nothing to be had."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    async def welcome(self, hello: Hello) -> Welcome:  # noqa: ARG002 - the same answer to all
        """Refuse."""
        raise RemoteError(self._failure)

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:  # noqa: ARG002
        """Never be called: the session was refused."""
        raise AssertionError(request_id)

    def closed(self, request_id: int) -> None:
        """Never be called either."""
        raise AssertionError(request_id)


class AgentService:
    """One target's environment, files and network."""

    def __init__(self, target: HeldTarget, log: Log, incoming: Incoming | None) -> None:
        self._target = target
        self._log = log
        self._incoming = incoming
        paths = Paths(target.root, process_ids=target.process_ids, start=target.start, outside_root=target.outside_root)
        self._watches = Watches()
        self._files = Files(paths, self._watches)
        self._handles: Handles[OpenFile] = Handles(min(HANDLES, handle_limit(_raise_descriptor_limit())))
        self._watched: dict[int, Reply] = {}
        self._workers = Workers()
        self._streams = Workers(STREAMS)
        self._lacking = lacking(target, incoming)
        self._sockets = Sockets(marked=target.rules is None)
        self._names: Names | None = None
        self._welcomed = trio.Event()
        self._outgoing = Outgoing(paths, self._workers, self._sockets)

    async def welcome(self, hello: Hello) -> Welcome:
        """Answer a hello with what the target is, and with its environment if that is wanted."""
        if not target_driver.alive(self._target):
            raise RemoteError(TARGET_ENDED)
        variables: tuple[tuple[bytes, bytes], ...] = ()
        if hello.environment:
            data = await self._workers.run(lambda: target_driver.environment(self._target))
            variables = env.select(env.parse(data), hello.include, hello.exclude)
        target = self._target
        self._welcomed.set()
        return Welcome(
            target=Target(
                target.pid, target.user_id, target.group_id, target.name, target.hostname, target.working_directory
            ),
            environment=variables,
            capabilities=ALL_CAPABILITIES & ~sum(self._lacking),
            lacking=tuple(Lacking(capability, reason) for capability, reason in self._lacking.items()),
        )

    async def leave(self) -> None:
        """Let what others do through us come to an end, for a moment."""
        if self._incoming:
            await self._incoming.leave()

    def close(self) -> None:
        """Let go of what isn't the session's: its handles are closed by then."""
        self._watches.close()
        if self._incoming:
            self._incoming.close()

    # ------------------------------------------------------------------------------------------ tasks

    async def wait_target_ended(self) -> Failure:
        """Return when the target has ended."""
        await trio.lowlevel.wait_readable(self._target.death)
        self._log("info", "the target has ended")
        return TARGET_ENDED

    async def load_names(self) -> None:
        """Load what finds names while the session's program starts, so that its first name needn't wait for that."""
        await self._welcomed.wait()
        await self._workers.run(load_names)

    async def pass_on_changes(self) -> None:
        """Tell the session of watched listings that have changed."""
        while True:
            await trio.lowlevel.wait_readable(self._watches.inotify)
            for id_ in self._watches.read():
                if (reply := self._watched.pop(id_, None)) is not None:
                    reply.changed()

    # ------------------------------------------------------------------------------------------ requests

    async def handle(self, request_id: int, request: Request, reply: Reply) -> None:
        """Carry out one request."""
        if reason := self._lacking.get(capability_of(request)):
            reply.fail(reason)
            return
        try:
            await self._carry_out(request_id, request, reply)
        except RemoteError as error:
            reply.fail(error.failure)
        except OSError:
            # When a process ends its mounts go first: what wasn't found then says nothing about the target.
            if target_driver.alive(self._target):
                raise
            reply.fail(TARGET_ENDED)

    async def _carry_out(self, id_: int, request: Request, reply: Reply) -> None:
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
            case Resolve():
                reply.answer(await (await self._find_names()).resolve(request))
            case Reverse():
                reply.answer(await (await self._find_names()).reverse(request))
            case Query():
                reply.answer(await (await self._find_names()).query(request))
            case Connect():
                await self._outgoing.connect(request, reply)
            case Datagrams():
                await carry(request, reply, self._sockets)
            case Subscribe():
                assert self._incoming
                await self._incoming.serve(request, reply)

    async def _find_names(self) -> Names:
        """Return what finds names."""
        if self._names is None:
            await self._workers.run(load_names)
            from mirrord_agent.names.driver import Names

            target = self._target
            data = await self._workers.run(lambda: target_driver.environment(target))
            self._names = Names(
                self._files,
                self._workers,
                self._sockets,
                hostname=target.hostname,
                variables=dict(env.parse(data)),
            )
        return self._names

    async def _either(
        self, at_once: Callable[[], T], later: Callable[[], T], undo: Callable[[T], object] | None = None
    ) -> T:
        """Make a call without waiting if that can be, else in a thread."""
        try:
            return at_once()
        except BlockingIOError:
            return await self._workers.run(later, undo=undo)

    def closed(self, request_id: int) -> None:
        """Let go of what an id held."""
        self._handles.drop(request_id)
        self._watched.pop(request_id, None)
        self._watches.drop(request_id)

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


def lacking(target: HeldTarget, incoming: Incoming | None) -> dict[Capability, Failure]:
    """Return what we can't do for a target, and why."""
    reasons = {
        Capability.NAMES: target.network,
        Capability.OUTGOING: target.network,
        Capability.INCOMING: incoming.lacking() if incoming else target.rules,
    }
    return {capability: reason for capability, reason in reasons.items() if reason}


def capability_of(request: Request) -> Capability:
    """Return what a request needs."""
    match request:
        case Resolve() | Reverse() | Query():
            return Capability.NAMES
        case Connect() | Datagrams():
            return Capability.OUTGOING
        case Subscribe():
            return Capability.INCOMING
    return Capability.FILES


def _raise_descriptor_limit() -> int:
    """Take as many descriptors as are of use and may be had; return how many there are."""
    soft, hard = (limit if limit != resource.RLIM_INFINITY else sys.maxsize
                  for limit in resource.getrlimit(resource.RLIMIT_NOFILE))  # fmt: skip
    most = min(hard, DESCRIPTORS)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return max(soft, most)

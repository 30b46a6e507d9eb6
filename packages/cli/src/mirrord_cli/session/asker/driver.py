"""Asks the agent: a task for each question, whose outcome goes back into ../machine.py. Bulk bytes go past the machine.

How the agent is started is in ../agent/driver.py; what is said on the wire is the protocol package's business.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

import trio

from mirrord_cli.session.actions import Action, Ask, AskRange
from mirrord_cli.session.machine import Machine
from mirrord_cli.session.questions import TOO_LONG
from mirrord_cli.session.standins.driver import StandIns
from mirrord_protocol.client import Client, ConnectionLost, DataStream, Listing, RemoteError, RemoteFile
from mirrord_protocol.network_values import Connect, Datagrams, Query, Records, Resolve, Reverse, Subscribe
from mirrord_protocol.values import (
    Answer,
    Failure,
    FailureKind,
    FileSystemOf,
    Form,
    ListDirectory,
    Open,
    Read,
    ReadLink,
    RealPath,
    StatPath,
)


class TooLong(Exception):
    """A listing is longer than was wanted."""


class Asker:
    """Carries out what concerns the agent.

    Args:
        client: The agent's.
        machine: Where outcomes go.
        stand_ins: Where fetched ranges go.
        perform: Called with the machine's actions.
        nursery: Runs the tasks.
    """

    def __init__(
        self,
        client: Client,
        machine: Machine,
        stand_ins: StandIns,
        perform: Callable[[list[Action]], None],
        nursery: trio.Nursery,
    ) -> None:
        self._client = client
        self._machine = machine
        self._stand_ins = stand_ins
        self._perform = perform
        self._nursery = nursery
        self._open: dict[int, RemoteFile | Listing] = {}
        """What stays open on the target, by question."""
        self._fetches: dict[int, DataStream] = {}

    def ask(self, action: Ask) -> None:
        """Begin to ask."""
        self._nursery.start_soon(self._ask, action)

    def close(self, ask: int) -> None:
        """Close what a question left open."""
        if opened := self._open.pop(ask, None):
            opened.close()

    async def _ask(self, action: Ask) -> None:
        number, machine = action.ask, self._machine
        answer: Answer | Failure
        data = b""
        try:
            answer, data = await self._answer(action)
        except RemoteError as error:
            answer = error.failure
        except TooLong:
            answer = TOO_LONG
        except ConnectionLost:
            return
        if machine.is_lost:  # which ended all questions
            self.close(number)
        elif isinstance(answer, Failure):
            self._perform(machine.refused(number, answer, trio.current_time()))
        else:
            self._perform(machine.answered(number, answer, data, trio.current_time()))
        if isinstance(listing := self._open.get(number), Listing):
            await self._watch(number, listing)

    async def _answer(self, action: Ask) -> tuple[Answer, bytes]:
        client = self._client
        match action.request:
            case StatPath(path, follow):
                return await client.stat(path, follow=follow), b""
            case ReadLink(path):
                return await client.readlink(path), b""
            case RealPath(path):
                return await client.realpath(path), b""
            case FileSystemOf(path):
                return await client.file_system(path), b""
            case Open(path, flags, content, head):
                opened = await client.open(path, flags=flags, content=content, head=head)
                return await self._take_file(action.ask, opened)
            case ListDirectory(path, watch):
                return await self._take_listing(action, await client.list(path, watch=watch))
            case Read(ask, offset, length):
                opened_file = self._open.get(ask)
                if not isinstance(opened_file, RemoteFile):
                    raise RemoteError(Failure(FailureKind.SYSTEM, "EBADF"))
                return b"", await opened_file.read(offset, length).receive_all()
            case Resolve(name, families, canonical_name, configured_only):
                resolved = await client.resolve(
                    name, families=families, canonical_name=canonical_name, configured_only=configured_only
                )
                return resolved, b""
            case Reverse(address):
                return await client.reverse(address), b""
            case Query(message, search):
                return Records(await client.query(message, search=search)), b""
            case Connect() | Datagrams() | Subscribe():
                raise AssertionError("asked for by ../network/ itself")

    async def _take_file(self, ask: int, file: RemoteFile) -> tuple[Answer, bytes]:
        opened, data = file.opened, b""
        try:
            if opened.form in {Form.WHOLE, Form.LARGE}:
                data = await file.data.receive_all()
        except BaseException:
            file.close()
            raise
        if opened.form in {Form.LARGE, Form.REQUEST, Form.STREAM}:
            self._open[ask] = file
        else:
            file.close()
        return opened, data

    async def _take_listing(self, action: Ask, listing: Listing) -> tuple[Answer, bytes]:
        chunks, size, most = [], 0, sys.maxsize if action.most is None else action.most
        try:
            async for chunk in listing.data:
                chunks.append(chunk)
                size += len(chunk)
                if size > most:
                    break
        except BaseException:
            listing.close()
            raise
        if size > most:
            listing.close()
            raise TooLong
        if listing.listed.watched:
            self._open[action.ask] = listing
        else:
            listing.close()
        return listing.listed, b"".join(chunks)

    async def _watch(self, ask: int, listing: Listing) -> None:
        try:
            await listing.wait_changed()
        except (ConnectionLost, trio.ClosedResourceError):
            return
        if self._open.pop(ask, None):
            self._perform(self._machine.changed(ask))

    # ------------------------------------------------------------------------------------------ large files

    def fetch(self, action: AskRange) -> None:
        """Begin to fetch a range of a large file."""
        file = self._open.get(action.read.handle)
        assert isinstance(file, RemoteFile)
        try:
            stream = self._fetches[action.fetch] = file.read(action.read.offset, action.read.length)
        except ConnectionLost:
            return  # `Machine.lost` ends all fetches
        self._nursery.start_soon(self._fetch, action, stream)

    def stop(self, fetch: int) -> None:
        """Want no more of a range."""
        if stream := self._fetches.pop(fetch, None):
            stream.close()

    async def _fetch(self, action: AskRange, stream: DataStream) -> None:
        at, failed = action.read.offset, False

        def take(chunks: Sequence[bytes | memoryview]) -> None:
            nonlocal at, failed
            try:
                size = self._stand_ins.write(action.stand_in, at, chunks)
            except OSError:
                size, failed = 0, True
            if size:
                at += size
                self._perform(self._machine.arrived(action.fetch, size))
            else:
                stream.close()

        try:
            await stream.pour_into(take)
        except (RemoteError, ConnectionLost):
            failed = True
        except trio.ClosedResourceError:
            pass  # stopped
        if self._fetches.pop(action.fetch, None):
            self._perform(self._machine.fetched(action.fetch, failed=failed))

    # ------------------------------------------------------------------------------------------ streams

    def stream(self, ask: int, pipe: int) -> None:
        """Carry a stream into a pipe, whose end is ours to close, until either side ends."""
        file = self._open.pop(ask)
        assert isinstance(file, RemoteFile)
        os.set_blocking(pipe, False)
        self._nursery.start_soon(self._stream, file, pipe)

    async def _stream(self, file: RemoteFile, pipe: int) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wait_unread, pipe, nursery.cancel_scope)
                with suppress(RemoteError, ConnectionLost):
                    async for chunk in file.data:
                        await _write(pipe, memoryview(chunk))
                nursery.cancel_scope.cancel()
        except* BrokenPipeError:
            pass  # nobody reads any more
        finally:
            file.close()
            trio.lowlevel.notify_closing(pipe)
            os.close(pipe)

    async def _wait_unread(self, pipe: int, scope: trio.CancelScope) -> None:
        """End with the last reader, also while nothing comes that could be written."""
        await trio.lowlevel.wait_readable(pipe)  # of a pipe's writing end: only errors
        scope.cancel()


async def _write(pipe: int, view: memoryview) -> None:
    while view:
        try:
            view = view[os.write(pipe, view) :]
        except BlockingIOError:
            await trio.lowlevel.wait_writable(pipe)

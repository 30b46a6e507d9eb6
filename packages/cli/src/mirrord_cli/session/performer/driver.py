"""Puts the session's parts together, and carries out the machine's actions in their order. What they are is decided in
../machine.py; how the session starts and ends is in ../server.py.
"""

from __future__ import annotations

import errno
import gc
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, closing
from functools import lru_cache, partial
from typing import Any

import trio

from mirrord_cli.session.actions import (
    Action,
    Answer,
    AnswerStream,
    AnswerTable,
    Ask,
    AskHere,
    AskRange,
    Close,
    Finish,
    MakeDirectory,
    MakeLarge,
    MakeWhole,
    Release,
    StopRange,
)
from mirrord_cli.session.asker.driver import Asker
from mirrord_cli.session.cache import Cache
from mirrord_cli.session.facts import Facts
from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.leading import Leading
from mirrord_cli.session.link.driver import Links
from mirrord_cli.session.log import Log
from mirrord_cli.session.machine import Machine
from mirrord_cli.session.network.driver import Sockets
from mirrord_cli.session.network.lacking import settle
from mirrord_cli.session.network.machine import may_be_debuggers
from mirrord_cli.session.network.naming.driver import Naming
from mirrord_cli.session.network.processes.driver import Processes
from mirrord_cli.session.prefixes import derive_prefixes
from mirrord_cli.session.publishing.driver import SharedMemory
from mirrord_cli.session.rules import Rules
from mirrord_cli.session.settings import Settings
from mirrord_cli.session.standins.driver import StandIns
from mirrord_cli.session.standins.registry import Budget, Registry
from mirrord_cli.session.table import Devices, Table, plan_table, table_flags
from mirrord_protocol.client import Client
from mirrord_protocol.failure import errno_name
from mirrord_protocol.layer_values import LayerOutcome, LayerReply, LayerRequest
from mirrord_protocol.messages import encode_layer_reply

TICK = 1.0
SHARE = 4
"""A quarter of the descriptors are for stand-ins, another for questions; the rest is for all else."""
MOST = 4096
"""More than these of either aren't needed."""
_encode = lru_cache(4096)(encode_layer_reply)


class Performer:
    """A session, but for its start and end.

    Args:
        settings: What the command line decided.
        limit: So many descriptors this process may have.
        log: Where events are logged.
    """

    def __init__(self, settings: Settings, limit: int, log: Log) -> None:
        self.settings = settings
        self._log = log
        self._limit = limit
        self._queue: deque[Action] = deque()
        self._performing = False
        self._stack = ExitStack()
        self._processes = Processes()
        self.warnings: tuple[str, ...] = ()
        """What the user wanted and doesn't get."""
        self._do: dict[type[Action], Callable[[Any], None]] = {
            Answer: self._answer,
            AnswerStream: self._answer_stream,
            AnswerTable: self._answer_table,
            StopRange: lambda action: self._asker.stop(action.fetch),
            Close: lambda action: self._asker.close(action.ask),
            MakeWhole: lambda action: self._make(
                action.stand_in, lambda: self._stand_ins.make_whole(action.stand_in, action.content, action.stat)
            ),
            MakeDirectory: lambda action: self._make(
                action.stand_in, lambda: self._stand_ins.make_directory(action.stand_in)
            ),
            MakeLarge: lambda action: self._nursery.start_soon(self._make_large, action),
            Finish: lambda action: self._stand_ins.complete(action.stand_in, action.stat),
            Release: lambda action: self._stand_ins.release(action.stand_in),
        }

    @property
    def questions(self) -> int:
        """How many questions of layers there were."""
        return self._links.questions

    def prepare(self) -> None:
        """Make what needs no agent.

        Raises:
            SessionFailed: Nothing can be put into the temporary directory.
        """
        settings, files = self.settings, self.settings.files
        folder = settings.temporary_directory
        self._stand_ins = StandIns(folder, self._vanished, self._unheld)
        self._stack.callback(self._stand_ins.close)
        try:
            devices = Devices(*self._stand_ins.devices())
        except OSError as error:
            text = f"Nothing can be put into {os.fsdecode(folder)}: {error.strerror}."
            raise SessionFailed("you", text, "Let TMPDIR name a folder that you may write to.") from None
        plan = plan_table(derive_prefixes(files), settings.skipped_programs)
        self.memory = SharedMemory(plan.size)
        self._stack.callback(self.memory.close)
        table = Table(memoryview(self.memory.map), plan, devices, table_flags(files))
        self._stack.callback(table.close)
        budget = Budget(descriptors=min(self._limit // SHARE, MOST))
        self._machine = Machine(
            Rules(files),
            Leading(files),
            Facts(Cache(settings.time_to_live)),
            Registry(budget),
            table,
            settings.network,
        )
        self._links = Links(self._asked, settings.user_id, min(self._limit // SHARE, MOST))
        self._stack.callback(self._links.close)

    def close(self) -> None:
        """Give everything back."""
        self._stack.close()

    async def serve(
        self,
        client: Client,
        inherited: socket.socket,
        listener: socket.socket,
        tell_ready: Callable[[], Awaitable[None]],
    ) -> None:
        """Answer until no program is left.

        Raises:
            SessionFailed: The target lacks what the user asked for.
        """
        rules, self.warnings = settle(self.settings.network, client.welcome)
        self._machine.network.begin(rules, client.welcome.target.hostname)
        async with trio.open_nursery() as self._nursery:
            nursery = self._nursery
            self._asker = Asker(client, self._machine, self._stand_ins, self.perform, nursery)
            naming = Naming(self._machine, self.perform, nursery)
            self._do |= {Ask: self._asker.ask, AskRange: self._asker.fetch, AskHere: naming.ask}
            sockets = Sockets(
                client,
                self._machine,
                self.perform,
                self._links,
                rules.incoming,
                self.settings.user_id,
                self._limit,
                self._log,
                nursery,
            )
            self._do |= sockets.actions()
            nursery.start_soon(self._notice_loss, client)
            nursery.start_soon(self._stand_ins.holders.run)
            nursery.start_soon(self._tick)
            nursery.start_soon(self._links.accept, listener, nursery)
            nursery.start_soon(partial(self._links.serve, inherited, inherited=True))
            gc.collect()
            gc.freeze()
            with closing(sockets):
                await tell_ready()
                nursery.start_soon(self._log_start)
                await self._links.wait_unused(self.memory)
                await sockets.leave()
            nursery.cancel_scope.cancel()

    # ------------------------------------------------------------------------------------------ events

    def _asked(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        if may_be_debuggers(request, payload) and (ports := self._processes.new_ports(request.process)):
            self.perform(self._machine.noted(self._machine.network.found_debuggers, ports))
        self.perform(self._machine.asked(channel, request, payload, trio.current_time()))

    def _vanished(self, stand_in: int) -> None:
        self.perform(self._machine.vanished(stand_in))

    def _unheld(self, stand_in: int) -> None:
        self.perform(self._machine.unheld(stand_in, trio.current_time()))

    async def _notice_loss(self, client: Client) -> None:
        reason = await client.wait_lost()
        self._log("warning", "agent lost", reason=reason.text)
        self.perform(self._machine.lost(reason.text))

    async def _log_start(self) -> None:
        await trio.sleep(TICK)  # the program's first questions come first
        await trio.to_thread.run_sync(self._log.load)
        self._log("info", "session started", target=self.settings.target.name)

    async def _tick(self) -> None:
        while True:
            await trio.sleep(TICK)
            if self._machine.waits_for_time:
                self.perform(self._machine.tick(trio.current_time()))

    # ------------------------------------------------------------------------------------------ actions

    def perform(self, actions: list[Action]) -> None:
        """Carry out actions, and those that they lead to."""
        queue = self._queue
        queue += actions
        if self._performing:
            return
        self._performing = True
        while queue:
            action = queue.popleft()
            self._do[type(action)](action)
        self._performing = False

    def _answer(self, action: Answer) -> None:
        makers: list[Callable[[], int]] = []
        if (listing := action.listing) is not None:
            makers.append(lambda: self._stand_ins.listing(listing))
        if (stand_in := action.stand_in) is not None:
            makers.append(lambda: self._stand_ins.reopen(stand_in))
        self._send(action.channel, action.reply, makers, action.payload)

    def _send(self, channel: int, reply: LayerReply, makers: Sequence[Callable[[], int]], payload: bytes = b"") -> bool:
        """Answer with the descriptors that are made now; whether they could be."""
        if not makers:
            self._links.answer(channel, _encode(reply), payload, ())
            return True
        fds: list[int] = []
        try:
            fds += (make() for make in makers)
        except OSError as error:
            failed = LayerReply(LayerOutcome.FAILED, errno=errno_name(error.errno or errno.EIO))
            self._links.answer(channel, _encode(failed), b"", ())
            return False
        else:
            self._links.answer(channel, _encode(reply), payload, fds)
            return True
        finally:
            for fd in fds:
                os.close(fd)

    def _answer_table(self, action: AnswerTable) -> None:
        self._send(action.channel, action.reply, [self.memory.hand_out])

    def _answer_stream(self, action: AnswerStream) -> None:
        pipe: list[int] = []

        def make() -> int:
            pipe.extend(os.pipe2(os.O_CLOEXEC))
            return pipe[0]

        if self._send(action.channel, action.reply, [make]):
            self._asker.stream(action.ask, pipe[1])
        else:
            self._asker.close(action.ask)

    def _make(self, stand_in: int, make: Callable[[], tuple[int, int]]) -> None:
        try:
            device, inode = make()
        except OSError as error:
            self.perform(self._machine.not_made(stand_in, errno_name(error.errno or errno.EIO)))
        else:
            self.perform(self._machine.made(stand_in, device, inode))

    async def _make_large(self, action: MakeLarge) -> None:
        try:
            device, inode = await self._stand_ins.make_large(action.stand_in, action.size, action.head, action.reserved)
        except OSError as error:
            self.perform(self._machine.not_made(action.stand_in, errno_name(error.errno or errno.EIO)))
        else:
            self.perform(self._machine.made(action.stand_in, device, inode))

"""The session, from its start to its end: `run` is what the forked process does. Which see docs/session.md.

It puts the parts together and carries out the machine's actions; what these are is decided in machine.py.
"""

from __future__ import annotations

import array
import errno
import gc
import os
import resource
import secrets
import signal
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache, partial
from typing import Any, Self

import structlog
import trio

from mirrord_cli.session.actions import (
    Action,
    Answer,
    AnswerStream,
    AnswerTable,
    Ask,
    AskRange,
    Close,
    Finish,
    MakeDirectory,
    MakeLarge,
    MakeWhole,
    Release,
    StopRange,
)
from mirrord_cli.session.agent.driver import AgentFailed, start_agent
from mirrord_cli.session.asker.driver import Asker
from mirrord_cli.session.cache import Cache
from mirrord_cli.session.facts import Facts
from mirrord_cli.session.link.driver import Links
from mirrord_cli.session.machine import Machine
from mirrord_cli.session.prefixes import derive_prefixes
from mirrord_cli.session.publishing.driver import SharedMemory
from mirrord_cli.session.rules import Rules
from mirrord_cli.session.settings import Settings
from mirrord_cli.session.standins.driver import StandIns
from mirrord_cli.session.standins.registry import Budget, Registry
from mirrord_cli.session.status import Failed, Message, Progress, Ready, encode
from mirrord_cli.session.table import Devices, Table, plan_table, table_flags
from mirrord_protocol.client import Client
from mirrord_protocol.failure import errno_name
from mirrord_protocol.messages import encode_layer_reply
from mirrord_protocol.values import LayerOutcome, LayerReply, LayerRequest

TICK = 1.0
BACKLOG = 4096
MOST_DESCRIPTORS = 1 << 16
"""More than these aren't used, however many are allowed."""
_encode = lru_cache(4096)(encode_layer_reply)


def run(settings: Settings, link: int, status: int) -> None:
    """Be the session until its last program has ended.

    Args:
        settings: What the command line decided.
        link: The session's end of the link.
        status: A socket to the command line; gets messages of status.py until `Ready` or `Failed`, then is closed.
    """
    trio.run(_run, settings, link, status)


async def _run(settings: Settings, link: int, status: int) -> None:
    failed: AgentFailed | None = None
    with ExitStack() as stack:
        log = _open_log(settings, stack)
        inherited = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, link))
        teller = stack.enter_context(_Teller(status))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_on_signal, nursery.cancel_scope)
            nursery.start_soon(_end_with_command_line, os.dup(link), teller, nursery.cancel_scope)
            try:
                await _live(settings, inherited, teller, log)
            except AgentFailed as error:
                failed = error
            if failed:
                log.error("no agent", reason=failed.text)
                await teller.tell(Failed(failed.category, failed.text, failed.next_step))
            nursery.cancel_scope.cancel()


async def _live(settings: Settings, inherited: socket.socket, teller: _Teller, log: Any) -> None:
    """Live from the agent's start to the last program's end."""
    limit = _raise_limit()
    with ExitStack() as stack:
        session = _Session(settings, limit, log)
        stack.callback(session.close)
        session.prepare()
        listener = stack.enter_context(_listen())
        await teller.tell(Progress("starting the agent"))
        async with start_agent(settings) as client:
            name: bytes = listener.getsockname()[1:]
            await session.serve(client, inherited, listener, lambda: _tell_ready(teller, session, client, name))
            log.info("session ended", round_trips=client.round_trips, questions=session.questions)


async def _tell_ready(teller: _Teller, session: _Session, client: Client, name: bytes) -> None:
    welcome = client.welcome
    ready = Ready(
        environment=welcome.environment,
        target_name=welcome.target.name,
        target_pid=session.settings.target.pid,
        socket_name=name,
    )
    table = session.memory.hand_out()
    try:
        await teller.tell(ready, table)
    finally:
        os.close(table)
    teller.close()


class _Session:
    """Puts the parts together, and carries out the machine's actions in their order."""

    def __init__(self, settings: Settings, limit: int, log: Any) -> None:
        self.settings = settings
        self._log = log
        self._limit = limit
        self._queue: deque[Action] = deque()
        self._performing = False
        self._stack = ExitStack()
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
            AgentFailed: Nothing can be put into the temporary directory.
        """
        settings, files = self.settings, self.settings.files
        folder = settings.temporary_directory
        self._stand_ins = StandIns(folder, self._vanished, self._unheld)
        self._stack.callback(self._stand_ins.close)
        try:
            devices = Devices(*self._stand_ins.devices())
        except OSError as error:
            text = f"Nothing can be put into {os.fsdecode(folder)}: {error.strerror}."
            raise AgentFailed("you", text, "Let TMPDIR name a folder that you may write to.") from None
        plan = plan_table(derive_prefixes(files), settings.skipped_programs)
        self.memory = SharedMemory(plan.size)
        self._stack.callback(self.memory.close)
        table = Table(memoryview(self.memory.map), plan, devices, table_flags(files))
        self._stack.callback(table.close)
        budget = Budget(descriptors=min(self._limit // 4, 4096))
        self._machine = Machine(Rules(files), Facts(Cache(settings.time_to_live)), Registry(budget), table)
        self._links = Links(self._asked, settings.user_id, min(self._limit // 4, 4096))
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
        """Answer until no program is left."""
        async with trio.open_nursery() as self._nursery:
            nursery = self._nursery
            self._asker = Asker(client, self._machine, self._stand_ins, self.perform, nursery)
            self._do |= {Ask: self._asker.ask, AskRange: self._asker.fetch}
            nursery.start_soon(self._notice_loss, client)
            nursery.start_soon(self._stand_ins.holders.run)
            nursery.start_soon(self._tick)
            nursery.start_soon(self._links.accept, listener, nursery)
            nursery.start_soon(partial(self._links.serve, inherited, inherited=True))
            gc.collect()
            gc.freeze()
            await tell_ready()
            self._log.info("session ready", target=self.settings.target.pid)
            await self._links.wait_unused(self.memory)
            nursery.cancel_scope.cancel()

    # ------------------------------------------------------------------------------------------ events

    def _asked(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        self.perform(self._machine.asked(channel, request, payload, trio.current_time()))

    def _vanished(self, stand_in: int) -> None:
        self.perform(self._machine.vanished(stand_in))

    def _unheld(self, stand_in: int) -> None:
        self.perform(self._machine.unheld(stand_in, trio.current_time()))

    async def _notice_loss(self, client: Client) -> None:
        reason = await client.wait_lost()
        self._log.warning("agent lost", reason=reason.text)
        self.perform(self._machine.lost())

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
            device, inode = await self._stand_ins.make_large(action.stand_in, action.size, action.head)
        except OSError as error:
            self.perform(self._machine.not_made(action.stand_in, errno_name(error.errno or errno.EIO)))
        else:
            self.perform(self._machine.made(action.stand_in, device, inode))


# ---------------------------------------------------------------------------------------------- surroundings


class _Teller:
    """Tells the command line how it goes. One that is gone doesn't matter: the link's end tells that."""

    def __init__(self, status: int) -> None:
        self._socket: trio.socket.SocketType | None = trio.socket.from_stdlib_socket(socket.socket(fileno=status))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the last message wasn't said."""
        return self._socket is not None

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def tell(self, message: Message, descriptor: int | None = None) -> None:
        """Say something, with a descriptor."""
        assert self._socket is not None
        rest = memoryview(encode(message))
        rights = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        with suppress(BrokenPipeError, ConnectionResetError):
            while rest:
                rest = rest[await self._socket.sendmsg([rest], rights) :]
                rights = []


def _open_log(settings: Settings, stack: ExitStack) -> Any:
    """Return a logger that writes lines of JSON, to the log file or nowhere."""
    path = settings.log_path or os.devnull.encode()
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    file = stack.enter_context(os.fdopen(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace"))
    return structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
    ).bind(process="session", pid=os.getpid())


def _raise_limit() -> int:
    """Let this process have as many descriptors as it may; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return most
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def _listen() -> socket.socket:
    """Return the abstract socket for programs that lost the link; it can't be guessed."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    listener.bind(b"\0mirrord-" + secrets.token_hex(16).encode())
    listener.listen(BACKLOG)
    return listener


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def _end_with_command_line(link: int, teller: _Teller, scope: trio.CancelScope) -> None:
    """End if the command line does before it started a program."""
    try:
        await trio.lowlevel.wait_readable(link)
    finally:
        os.close(link)
    if teller.is_open:
        scope.cancel()

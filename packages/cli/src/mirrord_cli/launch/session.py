"""Starts the session: a process of its own session and without a parent, that is forgotten by everyone but its link.

A plain child would be reaped by the program's `wait()`, and would hold the pipe of a `$(...)` open. So it is forked
twice, before this process has any thread, and keeps nothing of ours but its two sockets.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import shlex
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn, Self

from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.log import lock_log
from mirrord_cli.session.framed import Reader, frame
from mirrord_cli.session.instructions import Began, Instruction, NotCreated
from mirrord_cli.session.settings import Settings
from mirrord_cli.session.status import Failed, Message, Progress, Ready, Unmet
from mirrord_layer_unix import ABI

LEAST = 64
"""With fewer descriptors neither session nor agent can do anything useful."""
RAISE = "Raise the limit: ulimit -n 1024."
LOWEST = 900  # as the layer's LAYER_LOWEST: high, but below the usual limit of 1024
COMMAND = "MIRRORD_AGENT_COMMAND"
"""For the project's own benchmarks: a command to start agents with, so that one can stand behind a delay."""
RECEIVE = 1 << 16
LAST = 4096
"""Bytes at a log's end in which its last line is looked for."""
LEAST_FILE = 16 << 20
"""Bytes of the largest file that must be allowed: the memory shared with programs is one to the kernel."""


@dataclass(frozen=True, slots=True)
class Started:
    """A session that is ready for programs."""

    ready: Ready
    link: int
    """The program's end of the link; not inherited until `inherit` was called. So is the next."""
    table: int

    def variables(self, library: bytes, preloaded: bytes | None) -> dict[bytes, bytes]:
        """Return what a program's environment needs to have the layer, beside what it preloads already."""
        parts = [ABI, self.link, os.fstat(self.link).st_ino, self.table, os.fstat(self.table).st_ino]
        return {
            b"MIRRORD_LAYER": b":".join(b"%d" % part for part in parts) + b":" + self.ready.socket_name,
            b"LD_PRELOAD": (preloaded + b":" if preloaded else b"") + library,
        }

    def inherit(self) -> None:
        """Let the program have the link and the table. The last thing to do before it is executed."""
        for descriptor in (self.link, self.table):
            os.set_inheritable(descriptor, True)


def agent_command(environment: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """Return what starts an agent on this machine.

    Raises:
        MirrordError: The variable for it can't be understood.
    """
    if given := environment.get(COMMAND.encode()):
        try:
            return tuple(shlex.split(os.fsdecode(given)))
        except ValueError as error:
            text = f"{COMMAND} is no command: {error}."
            raise MirrordError("configuration", text, "Quote it as for a shell.") from None
    return (sys.executable, "-P", "-m", "mirrord_agent")


class Forked:
    """A session that loads, and isn't ready yet.

    Args:
        settings: What it was forked with.
        link: The program's end of the link.
        status: The command line's end of the status socket.
    """

    def __init__(self, settings: Settings, link: int, status: int) -> None:
        self._settings, self._link = settings, link
        self._connection = socket.socket(fileno=status)
        self._reader: Reader[Message] = Reader(Message)
        self._heard = deque[Message]()
        self._descriptors = list[int]()
        self.began: Began | None = None
        """The agent of which it was told last, unless that was refused."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()
        if self._link >= 0:
            os.close(self._link)  # so it ends

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear now; of one that has ended there is."""
        return not self._heard and not select.select([self._connection], [], [], 0)[0]

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is something to hear."""
        return self._connection.fileno()

    def tell(self, instruction: Instruction) -> bool:
        """Give it an instruction; False if it takes no more: it is ready, or has ended, as `hear` tells."""
        try:
            self._connection.sendall(frame(instruction))
        except (BrokenPipeError, ConnectionResetError):
            return False
        match instruction:
            case Began():
                self.began = instruction
            case NotCreated():
                self.began = None
        return True

    def wait(self, report: Callable[[str], None]) -> Started | Unmet:
        """Wait until it is ready, or has not met the agent that it was told of.

        Raises:
            MirrordError: It won't become ready.
        """
        while (outcome := self.hear(report)) is None:
            select.select([self._connection], [], [])
        return outcome

    def hear(self, progress: Callable[[str], None]) -> Started | Unmet | None:
        """Return that it is ready, or has not met an agent; None if it has said neither by now.

        Raises:
            MirrordError: It won't become ready.
        """
        while True:
            while self._heard:
                match self._heard.popleft():
                    case Progress(text):
                        progress(text)
                    case Failed(category, text, next_step):
                        raise MirrordError(category, text, next_step)
                    case Unmet() as unmet:
                        return unmet
                    case Ready() as ready:
                        return self._started(ready)
            if not select.select([self._connection], [], [], 0)[0]:
                return None
            try:
                data, received, _, _ = socket.recv_fds(self._connection, RECEIVE, 1)
            except ConnectionResetError:  # it ended before it read what it was told
                data, received = b"", []
            self._descriptors += received
            if not data:
                raise _ended(self._settings)
            self._heard += self._reader.feed(data)

    def failure(self) -> MirrordError:
        """Return why it has ended: in its own words, or with the last ones of its log."""
        try:
            self.wait(lambda _text: None)
        except MirrordError as error:
            return error
        return _ended(self._settings)

    def _started(self, ready: Ready) -> Started:
        if len(self._descriptors) != 1:
            text = "There is no file descriptor left for the session's table."
            raise MirrordError("you", text, RAISE)
        link, self._link = self._link, -1
        return Started(ready, link, _high(self._descriptors[0]))


def start_session(settings: Settings, report: Callable[[str], None]) -> Started:
    """Start a session with an agent on this machine and wait until it is ready.

    Args:
        settings: What it is to do.
        report: Is told in a few words what is being waited for.

    Raises:
        MirrordError: It didn't become ready.
    """
    with fork_session(settings) as session:
        started = session.wait(report)
    assert isinstance(started, Started)  # nothing else was to be met
    return started


def fork_session(settings: Settings) -> Forked:
    """Start a session and return at once, while it loads.

    Raises:
        MirrordError: This machine's limits don't allow it.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < LEAST:
        text = f"mirrord needs {LEAST} file descriptors for its session, and no more than {hard} are allowed."
        raise MirrordError("you", text, RAISE)
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    if largest != resource.RLIM_INFINITY and largest < LEAST_FILE:
        text = f"No file may be larger than {largest} bytes here (ulimit -f), and the session needs {LEAST_FILE}."
        step = "Start mirrord where there is no such limit; for the program alone, set a soft one: ulimit -S -f."
        raise MirrordError("you", text, step)
    try:
        ours, its = (_high(end.detach()) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        status, its_status = (_high(end.detach()) for end in socket.socketpair())
    except OSError as error:
        text = f"mirrord needs a few file descriptors to start a session ({error.strerror})."
        raise MirrordError("you", text, RAISE) from None
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # it was closed when we were started
            stream.flush()
    child = os.fork()
    if child == 0:
        _leave(settings, its, its_status)
    os.close(its)
    os.close(its_status)
    with suppress(ChildProcessError):  # whoever started us ignores SIGCHLD: the kernel has taken it
        os.waitpid(child, 0)
    return Forked(settings, ours, status)


def _high(descriptor: int) -> int:
    """Move a descriptor to where it isn't in the program's way, not even where standard streams are closed."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = LOWEST if limit == resource.RLIM_INFINITY or limit > LOWEST + 8 else max(3, limit - 8)
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    finally:
        os.close(descriptor)


def _ended(settings: Settings) -> MirrordError:
    """Return what to say of a session that ended without a word, with its last one from the log."""
    text = "The session ended before it was ready"
    if settings.log_path is None:
        return MirrordError("us", f"{text}.", "Set HOME, so that there is a log, and try again.")
    lines = list[str]()
    with suppress(OSError), open(settings.log_path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LAST))
        lines = file.read().decode(errors="backslashreplace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    log = os.fsdecode(settings.log_path)
    return MirrordError(
        "us", f"{text}{f': {last}' if last else '.'}", f"Try again; if it stays, report it with the log: {log}"
    )


def _leave(settings: Settings, link: int, status: int) -> NoReturn:
    """In the first child: become the session, never to return to what the command line was doing."""
    code = 70
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _keep_only(settings, link, status)
        from mirrord_cli.session.server import run

        run(settings, link, status)
        code = 0
    except Exception:  # noqa: BLE001 - nobody above may see it; standard error is the log
        traceback.print_exc()
    finally:
        os._exit(code)


def _keep_only(settings: Settings, link: int, status: int) -> None:
    """Give back all that was inherited: descriptors, folder, signal mask, the command line's handlers."""
    size = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # `ulimit -S -f` is meant for the program
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what may be in it: keys and tokens of a cluster
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < LEAST:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LEAST, hard))
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(settings.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if settings.log_path else null
    lock_log(log)
    for number, source in enumerate((null, null, log)):
        os.dup2(source, number)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in {link, status}:
            with suppress(OSError):  # the listing's own
                os.close(int(name))
    os.chdir("/")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    with open("/proc/self/comm", "wb", buffering=0) as file:
        file.write(b"mirrord-session")

"""The agent as a program: options, the target and its rights, then one session.

All modules are loaded before rights are taken: the target's user may not be able to read them. No thread exists until
the event loop runs, since a user namespace can only be entered by a process of one thread.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import struct
import sys
from types import TracebackType

from mirrord_agent import __version__, options
from mirrord_agent.incoming.machine import owner_text
from mirrord_agent.log import Log
from mirrord_agent.target.driver import HeldTarget, hold
from mirrord_agent.target.machine import TargetRefused

DEFECT = 70


def main(arguments: list[str] | None = None) -> int:
    """Run an agent to the end of its session."""
    chosen = options.parse(sys.argv[1:] if arguments is None else arguments)
    log = Log(chosen.log_level, target=chosen.target_pid)

    def on_defect(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        log("error", "a defect", exc_info=(kind, error, traceback))
        os._exit(DEFECT)

    sys.excepthook = on_defect
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever presses Ctrl-C wants it to end, without a report
    os.chdir("/")
    connection = _connection(chosen.connected_fd)
    if connection is None:
        print(f"mirrord-agent: descriptor {chosen.connected_fd} is no connected Unix stream socket", file=sys.stderr)
        return 2

    owner = _owner(connection)

    import trio

    from mirrord_agent import server

    def before_change() -> None:
        """Load what is only loaded when it is needed: the target's user may not be able to read it."""
        log.load()
        server.load_names()

    target: HeldTarget | TargetRefused
    try:
        target = hold(chosen.target_pid, chosen.target_start, before_change=before_change)
    except TargetRefused as refusal:
        target = refusal

    async def serve() -> None:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
        _tell_ready(chosen.target_pid, served=isinstance(target, HeldTarget))
        failure = await server.run(stream, chosen.token_digest, target, log, owner)
        if isinstance(target, TargetRefused):  # after the session has heard of it: the first line takes a while
            log("warning", "the target can't be served", reason=str(target))
        log("info", "the session has ended", kind=failure.kind.name.lower(), reason=failure.text)

    trio.run(serve)
    return 0


def _connection(fd: int) -> socket.socket | None:
    try:
        connection = socket.socket(fileno=fd)
    except OSError:
        return None
    try:
        connection.getpeername()
    except OSError:
        return None
    right = connection.family == socket.AF_UNIX and connection.type == socket.SOCK_STREAM
    return connection if right else None


def _owner(connection: socket.socket) -> str:
    """Return whose session this is, before we are somebody else, elsewhere: for those who find a port taken."""
    process, user, _ = struct.unpack("iii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"user {user}"
    return owner_text(name, os.uname().nodename, process)


def _tell_ready(pid: int, *, served: bool) -> None:
    line = {"event": "ready", "version": __version__, "pid": os.getpid(), "target": pid, "served": served}
    try:
        os.write(1, json.dumps(line).encode() + b"\n")
    except OSError:  # nobody listens, which is no reason not to serve
        return


if __name__ == "__main__":
    sys.exit(main())

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
from mirrord_agent.containers.driver import find_container, own_process
from mirrord_agent.incoming.machine import owner_text
from mirrord_agent.listening.driver import listen, serve_first
from mirrord_agent.log import Log
from mirrord_agent.options import ContainerTarget, Options, ProcessTarget
from mirrord_agent.target.driver import HeldTarget, hold
from mirrord_agent.target.machine import TargetRefused
from mirrord_protocol.values import Failure, FailureKind

UNAVAILABLE = 69
DEFECT = 70
LAST_WORDS_SIZE = 4096
"""Bytes of a container's termination message that Kubernetes keeps."""
FIRST_TO_GO = "1000"
"""oom_score_adj(5): where the target's memory is short, the agent goes before the target."""
TOLD_TO_END = Failure(
    FailureKind.GONE, None, "the agent was told to end: its pod is being deleted, or its node drained"
)


def main(arguments: list[str] | None = None) -> int:
    """Run an agent to the end of its session."""
    chosen = options.parse(sys.argv[1:] if arguments is None else arguments)
    log = Log(chosen.log_level)

    def on_defect(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        _say_last(chosen, f"A defect of the agent: {kind.__name__}: {error}")
        log("error", "a defect", exc_info=(kind, error, traceback))
        os._exit(DEFECT)

    sys.excepthook = on_defect
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever presses Ctrl-C wants it to end, without a report
    os.chdir("/")
    if chosen.connected_fd is None:
        return _listen(chosen, log)
    connection = _connection(chosen.connected_fd)
    if connection is None:
        print(f"mirrord-agent: descriptor {chosen.connected_fd} is no connected Unix stream socket", file=sys.stderr)
        return 2
    owner = _owner(connection)

    import trio

    from mirrord_agent import server
    from mirrord_protocol.server import Service, Until, serve

    target = _hold(chosen, log)

    async def carry(service: Service, until: Until) -> Failure:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
        return await serve(stream, token_digest=chosen.token_digest, service=service, until=until)

    async def never() -> Failure:
        await trio.sleep_forever()

    async def run() -> None:
        _tell_ready(target)
        _log_end(log, target, await server.run(carry, target, log, owner, never))

    trio.run(run)
    return 0


def _listen(chosen: Options, log: Log) -> int:
    """Wait for the session on a port; that is open before all else is loaded, so that nobody is refused meanwhile."""
    try:
        listeners = listen(chosen.port)
    except OSError as error:
        text = f"The agent can't listen on port {chosen.port} of its pod's loopback: {error.strerror}."
        _say_last(chosen, text)
        print(f"mirrord-agent: {text}", file=sys.stderr)
        return UNAVAILABLE
    signal.signal(
        signal.SIGTERM, lambda *_: os._exit(0)
    )  # the first process of a container ignores what has no handler
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(FIRST_TO_GO)
    except OSError as error:
        log("debug", "oom_score_adj can't be set", reason=error.strerror)

    import trio

    from mirrord_agent import server
    from mirrord_protocol.server import Service, Until

    target = _hold(chosen, log)

    async def carry(service: Service, until: Until) -> Failure:
        return await serve_first(
            listeners,
            token_digest=chosen.token_digest,
            service=service,
            until=until,
            patience=chosen.communication_timeout,
        )

    async def run() -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:

            async def told_to_end() -> Failure:
                await told.wait()
                return TOLD_TO_END

            async def hear() -> None:
                async for _ in signals:
                    told.set()

            told = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hear)
                _tell_ready(target)
                failure = await server.run(carry, target, log, chosen.owner, told_to_end)
                nursery.cancel_scope.cancel()
        if isinstance(target, TargetRefused):
            _say_last(chosen, f"The target can't be served: {target}.")
        _log_end(log, target, failure)

    trio.run(run)
    return 0


def _hold(chosen: Options, log: Log) -> HeldTarget | TargetRefused:
    """Find the target and take its rights, or know why not."""

    def before_change() -> None:
        """Load what is only loaded when it is needed: the target's user may not be able to read it."""
        from mirrord_agent import server

        log.load()
        server.load_names()

    try:
        match chosen.target:
            case ProcessTarget(pid, start):
                pass
            case ContainerTarget(id_):
                pid, start = find_container(id_)
            case _:
                pid, start = own_process()
        return hold(pid, start, before_change=before_change, beside=chosen.connected_fd is None)
    except TargetRefused as refusal:
        return refusal


def _log_end(log: Log, target: HeldTarget | TargetRefused, failure: Failure) -> None:
    if isinstance(target, TargetRefused):  # after the session has heard of it: the first line takes a while
        log("warning", "the target can't be served", reason=str(target))
    log("info", "the session has ended", kind=failure.kind.name.lower(), reason=failure.text)


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


def _tell_ready(target: HeldTarget | TargetRefused) -> None:
    served = isinstance(target, HeldTarget)
    line = {"event": "ready", "version": __version__, "pid": os.getpid(), "served": served}
    if isinstance(target, HeldTarget):
        line["target"] = target.pid
    try:
        os.write(1, json.dumps(line).encode() + b"\n")
    except OSError:  # nobody listens, which is no reason not to serve
        return


def _say_last(chosen: Options, text: str) -> None:
    """Write the last words to where the container's runtime finds them."""
    if chosen.termination_log is None:
        return
    try:
        with open(chosen.termination_log, "w", encoding="utf-8") as file:
            file.write(text[:LAST_WORDS_SIZE])
    except OSError as error:
        print(f"mirrord-agent: {chosen.termination_log}: {error.strerror}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

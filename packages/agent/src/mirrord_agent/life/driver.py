"""One run of the agent, from finding its target to the end of its session. Everything large is loaded with this.

What had to be done before is ../starting/driver.py's, and comes in as arguments.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import struct
from collections.abc import AsyncIterator

import trio

from mirrord_agent import __version__, server
from mirrord_agent.containers.driver import find_container, own_process
from mirrord_agent.incoming.machine import owner_text
from mirrord_agent.listening.driver import serve_first
from mirrord_agent.listening.origins.driver import Origins
from mirrord_agent.loading.driver import everybody_may_load
from mirrord_agent.log import Log
from mirrord_agent.options import ContainerTarget, Options, ProcessTarget
from mirrord_agent.starting.driver import LastWords
from mirrord_agent.target.driver import HeldTarget, hold
from mirrord_agent.target.refusals import Place, TargetRefused
from mirrord_protocol.server import Service, Until, serve
from mirrord_protocol.values import Failure, FailureKind

UNAVAILABLE = 69
SOMEBODY = "another session"
TOLD_TO_END = Failure(FailureKind.GONE, None, "the agent was told to end, as when its pod is deleted")


def run(chosen: Options, connection: socket.socket, origins: Origins | None, log: Log, words: LastWords) -> int:
    """Serve one session, and return the exit code.

    Args:
        chosen: The options.
        connection: The session's, or what it will come to.
        origins: Tells who comes there, where that matters.
        log: Where events are logged.
        words: Where it is written why the agent ended.
    """
    owner = chosen.owner or (_owner(connection) if chosen.connected_fd is not None else SOMEBODY)
    target = _hold(chosen, log)
    if isinstance(target, HeldTarget):
        log.add(target=target.pid)
    else:
        words.say(f"The target can't be served: {target}.")
    failure = trio.run(_serve, chosen, connection, origins, owner, target, log)
    if origins:
        origins.close()
    refused = isinstance(target, TargetRefused)
    if refused:  # after the session has heard of it: the first line takes a while
        log("warning", "the target can't be served", reason=str(target))
    else:
        words.say(f"The agent has ended: {failure.text}.")
    log("info", "the session has ended", kind=failure.kind.name.lower(), reason=failure.text)
    if words.failure:
        log("warning", "the last words can't be written", reason=words.failure)
    return UNAVAILABLE if refused and chosen.connected_fd is None else 0


def _owner(connection: socket.socket) -> str:
    """Return whose session this is, before we are somebody else, elsewhere: for those who find a port taken."""
    process, user, _ = struct.unpack("iii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"user {user}"
    return owner_text(name, os.uname().nodename, process)


def _hold(chosen: Options, log: Log) -> HeldTarget | TargetRefused:
    """Find the target and take its rights, or know why not."""

    def before_change() -> None:
        """Load what is only loaded when it is needed, if the target's user may not be able to read it."""
        if not everybody_may_load():
            log.load()
            server.load_names()

    try:
        match chosen.target:
            case ProcessTarget(pid, start):
                place = Place.MACHINE
            case ContainerTarget(id_):
                place = Place.POD
                pid, start = find_container(id_)
            case _:
                place = Place.ITSELF
                pid, start = own_process()
        return hold(pid, start, place=place, before_change=before_change)
    except TargetRefused as refusal:
        return refusal


async def _serve(
    chosen: Options,
    connection: socket.socket,
    origins: Origins | None,
    owner: str,
    target: HeldTarget | TargetRefused,
    log: Log,
) -> Failure:
    told = trio.Event()

    async def told_to_end() -> Failure:
        await told.wait()
        return TOLD_TO_END

    async def carry(service: Service, until: Until) -> Failure:
        if chosen.connected_fd is not None:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(connection))
            return await serve(stream, token_digest=chosen.token_digest, service=service, until=until)
        return await serve_first(
            connection,
            origins=origins,
            token_digest=chosen.token_digest,
            service=service,
            until=until,
            told_to_end=told_to_end,
            patience=chosen.communication_timeout,
            log=log,
        )

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_hear, signals, told)
            _tell_ready(target)
            failure = await server.run(carry, target, log, owner=owner, told_to_end=told_to_end)
            nursery.cancel_scope.cancel()
    return failure


async def _hear(signals: AsyncIterator[int], told: trio.Event) -> None:
    async for _ in signals:
        told.set()


def _tell_ready(target: HeldTarget | TargetRefused) -> None:
    pid = target.pid if isinstance(target, HeldTarget) else None
    line = {"event": "ready", "version": __version__, "pid": os.getpid(), "target": pid, "served": pid is not None}
    try:
        os.write(1, json.dumps(line).encode() + b"\n")
    except OSError:  # nobody listens, which is no reason not to serve
        return

"""A session's life from when its agent was started: what it tells the command line, and when it ends.

What it does meanwhile is ../performer/'s. docs/session.md tells of its lifetime.
"""

from __future__ import annotations

import os
import resource
import secrets
import signal
import socket
from contextlib import ExitStack

import trio

from mirrord_cli.session.agent.driver import meet_agent
from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.link.driver import hung_up
from mirrord_cli.session.log import Log
from mirrord_cli.session.network.lacking import lacking
from mirrord_cli.session.performer.driver import Performer
from mirrord_cli.session.settings import Settings
from mirrord_cli.session.starting.driver import StartedAgent
from mirrord_cli.session.status import Failed, Progress, Ready
from mirrord_cli.session.telling.driver import Teller
from mirrord_protocol.client import Client

BACKLOG = 4096
MOST_DESCRIPTORS = 1 << 16
"""More than these aren't used, however many are allowed."""


def live(settings: Settings, link: int, status: int, agent: StartedAgent | SessionFailed | None) -> None:
    """Live until the last program has ended; as `run` of ../server.py, with an agent that was started on this machine, if one was."""
    trio.run(_run, settings, link, status, agent)


async def _run(settings: Settings, link: int, status: int, agent: StartedAgent | SessionFailed | None) -> None:
    failed: SessionFailed | None = None
    with ExitStack() as stack:
        log = Log(settings.log_path)
        stack.callback(log.close)
        inherited = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, link))
        teller = stack.enter_context(Teller(status))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_on_signal, nursery.cancel_scope)
            nursery.start_soon(_end_with_command_line, os.dup(link), teller.starting, nursery.cancel_scope)
            try:
                await _live(settings, agent, inherited, teller, log)
            except SessionFailed as error:
                failed = error
            if failed:
                log("error", "no session", reason=failed.text)
                if not teller.closed:
                    await teller.tell(Failed(failed.category, failed.text, failed.next_step))
            nursery.cancel_scope.cancel()


async def _live(
    settings: Settings, agent: StartedAgent | SessionFailed | None, inherited: socket.socket, teller: Teller, log: Log
) -> None:
    """Live from the agent's start to the last program's end."""
    if isinstance(agent, SessionFailed):
        raise agent
    limit = _raise_limit()
    with ExitStack() as stack:
        session = Performer(settings, limit, log)
        stack.callback(session.close)
        session.prepare()
        listener = stack.enter_context(_listen())
        name: bytes = listener.getsockname()[1:]

        async def serve(client: Client) -> None:
            await session.serve(client, inherited, listener, lambda: _tell_ready(teller, client, session, name))
            log("info", "session ended", round_trips=client.round_trips, questions=session.questions)

        if agent is None:
            from mirrord_cli.session.clustered.driver import serve_in_cluster  # what it needs is loaded for it alone

            await serve_in_cluster(settings, teller, log, serve)
        else:
            await teller.tell(Progress("waiting for the agent"))
            async with meet_agent(agent, settings) as client:
                await serve(client)


async def _tell_ready(teller: Teller, client: Client, session: Performer, name: bytes) -> None:
    welcome = client.welcome
    ready = Ready(
        environment=welcome.environment,
        target_name=welcome.target.name,
        target_pid=welcome.target.pid,
        socket_name=name,
        warnings=session.warnings,
        lacking=lacking(welcome),
    )
    table = session.memory.hand_out()
    teller.starting.cancel()
    try:
        await teller.tell(ready, table)
    finally:
        os.close(table)
    teller.close()


# ---------------------------------------------------------------------------------------------- surroundings


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


async def _end_with_command_line(link: int, starting: trio.CancelScope, scope: trio.CancelScope) -> None:
    """End if the command line does while the session starts."""
    try:
        with starting:
            await trio.lowlevel.wait_readable(link)
            if hung_up(link):
                scope.cancel()
    finally:
        os.close(link)

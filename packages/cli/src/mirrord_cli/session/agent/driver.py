"""Says hello to an agent on this machine, and ends it with the session.

How its process is started is in ../spawning/, what is asked of it in ../asker/.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from mirrord_cli.session.settings import Settings
from mirrord_cli.session.spawning.driver import Spawned
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.values import Failure, FailureKind, Hello

PATIENCE = 3.0
"""Seconds that an agent gets to end once its connection is closed."""


class AgentFailed(Exception):
    """The session has no agent: whose turn it is, why, and what to do."""

    def __init__(self, category: str, text: str, next_step: str) -> None:
        super().__init__(text)
        self.category = category
        self.text = text
        self.next_step = next_step


@asynccontextmanager
async def start_agent(settings: Settings, spawned: Spawned) -> AsyncIterator[Client]:
    """Yield the client of an agent that was started; when the block ends, or is cancelled, no process is left.

    Raises:
        AgentFailed: It wasn't started, or refused.
    """
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(spawned.connection))
    target = settings.target
    if spawned.error is not None:
        await stream.aclose()
        text = f"The agent can't be started: {settings.agent_command[0]}: {spawned.error.strerror}."
        raise AgentFailed("us", text, "Install mirrord again.")
    process = _Process(spawned.pid)
    wanted = settings.environment
    hello = Hello(spawned.token, environment=wanted.wanted, include=wanted.include, exclude=wanted.exclude)
    try:
        async with open_client(stream, hello) as client:
            yield client
    except RemoteError as error:
        raise _refused(error.failure, target.pid) from None
    except (ConnectionLost, RemoteProtocolError) as error:
        await process.end()
        raise AgentFailed(
            "us", f"The agent failed before it answered: {error} (exit code {process.exit_code}).", _look(settings)
        ) from None
    finally:
        with trio.CancelScope(shield=True):
            await process.end()


def _refused(failure: Failure, pid: int) -> AgentFailed:
    text = failure.text[:1].upper() + failure.text[1:].rstrip(".") + "."
    match failure.kind:
        case FailureKind.GONE:
            step = "Look the process up again, and name one that is running."
        case FailureKind.UNSUPPORTED:
            step = "Install versions of mirrord's packages that belong together, or use a newer kernel."
        case FailureKind.PROTOCOL | FailureKind.INTERNAL | FailureKind.LIMIT:
            return AgentFailed("us", f"The agent can't serve process {pid}. {text}", "The log has the rest.")
        case _:
            step = "Do what it says, or choose another target."
    return AgentFailed("you", f"The agent can't serve process {pid}. {text}", step)


def _look(settings: Settings) -> str:
    if settings.log_path is None:
        return "Set HOME, so that there is a log, and try again."
    return f"The log has the reason: {settings.log_path.decode(errors='backslashreplace')}"


class _Process:
    """A child of ours."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.exit_code: int | None = None
        """Once it has ended; below 0 by a signal."""

    async def end(self) -> None:
        """Wait for the agent's end, which follows that of its connection; else end it."""
        if self.exit_code is not None:
            return
        descriptor = os.pidfd_open(self._pid)
        try:
            with trio.move_on_after(PATIENCE) as waiting:
                await trio.lowlevel.wait_readable(descriptor)
            if waiting.cancelled_caught:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)
        self._reap()

    def _reap(self) -> None:
        self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

"""Starts an agent on this machine, says hello to it, and ends it with the session. What is asked of it is in ../asker/.

The agent inherits one end of a socket pair by number. The token never leaves memory: the agent's arguments, which every
user of the machine can read, have its SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from mirrord_cli.session.settings import Settings
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.failure import RemoteProtocolError
from mirrord_protocol.values import Failure, FailureKind, Hello

BUFFER = 1 << 20
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
async def start_agent(settings: Settings) -> AsyncIterator[Client]:
    """Start an agent and yield the client of it; when the block ends, or is cancelled, no process is left.

    Raises:
        AgentFailed: It couldn't be started, or refused.
    """
    token = secrets.token_bytes(32)
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)  # or as much as the system allows
    target = settings.target
    command = [
        *settings.agent_command,
        "--target-pid", str(target.pid),
        "--target-start", str(target.start_time),
        "--connected-fd", str(theirs.fileno()),
        "--token-digest", hashlib.sha256(token).hexdigest(),
    ]  # fmt: skip
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    try:
        with theirs:  # standard error stays the session's, which is its log
            process = await trio.lowlevel.open_process(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
    except OSError as error:
        await stream.aclose()
        text = f"The agent can't be started: {command[0]}: {error.strerror}."
        raise AgentFailed("us", text, "Install mirrord again.") from None
    wanted = settings.environment
    hello = Hello(token, environment=wanted.wanted, include=wanted.include, exclude=wanted.exclude)
    try:
        async with open_client(stream, hello) as client:
            yield client
    except RemoteError as error:
        raise _refused(error.failure, target.pid) from None
    except (ConnectionLost, RemoteProtocolError) as error:
        await _end(process)
        code = process.returncode
        raise AgentFailed(
            "us", f"The agent failed before it answered: {error} (exit code {code}).", _look(settings)
        ) from None
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)


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


async def _end(process: trio.Process) -> None:
    """Wait for the agent's end, which follows that of its connection; else end it."""
    with trio.move_on_after(PATIENCE):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()

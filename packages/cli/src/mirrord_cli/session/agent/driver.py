"""Says hello to an agent that was started, and sees to its end. How it is started is in ../starting/driver.py, what is
asked of it in ../asker/driver.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.settings import Settings
from mirrord_cli.session.starting.driver import StartedAgent
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import FIRST_LIMIT
from mirrord_protocol.messages import encode_message
from mirrord_protocol.values import Failure, FailureKind, Hello

PATIENCE = 3.0
"""Seconds that an agent gets to end once its connection is closed."""


@asynccontextmanager
async def meet_agent(started: StartedAgent, settings: Settings) -> AsyncIterator[Client]:
    """Yield the client of an agent; when the block ends, or is cancelled, no process is left.

    Raises:
        SessionFailed: It refused, or isn't one.
    """
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(started.connection))
    wanted, pid = settings.environment, settings.target.pid
    hello = Hello(started.token, environment=wanted.wanted, include=wanted.include, exclude=wanted.exclude)
    try:
        _check_size(hello)
        async with open_client(stream, hello) as client:
            yield client
    except RemoteError as error:
        raise _refused(error.failure, pid) from None
    except (ConnectionLost, RemoteProtocolError) as error:
        await _end(started.process)
        text = f"The agent failed before it answered: {error} (exit code {started.process.returncode})."
        raise SessionFailed("us", text, _look(settings)) from None
    finally:
        with trio.CancelScope(shield=True):
            await _end(started.process)


def _check_size(hello: Hello) -> None:
    """See that the names of variables fit into what an agent takes from somebody whom it doesn't know yet."""
    size = sum(map(len, (*hello.include, *hello.exclude)))
    try:
        fits = size <= FIRST_LIMIT and len(encode_message(hello)) <= FIRST_LIMIT
    except LocalProtocolError:
        fits = False
    if not fits:
        text = f"The names of variables to include and to exclude are too many: {size} bytes."
        step = "Write fewer, with wildcards (`*`): feature.env.include, feature.env.exclude."
        raise SessionFailed("configuration", text, step)


def _refused(failure: Failure, pid: int) -> SessionFailed:
    text = failure.text[:1].upper() + failure.text[1:].rstrip(".") + "."
    match failure.kind:
        case FailureKind.GONE:
            step = "Look the process up again, and name one that is running."
        case FailureKind.UNSUPPORTED:
            step = "Install versions of mirrord's packages that belong together, or use a newer kernel."
        case FailureKind.LIMIT:
            step = "Leave large variables out: feature.env.exclude, or -x."
            return SessionFailed("configuration", f"The agent can't serve process {pid}. {text}", step)
        case FailureKind.PROTOCOL | FailureKind.INTERNAL:
            return SessionFailed("us", f"The agent can't serve process {pid}. {text}", "The log has the rest.")
        case _:
            step = "Do what it says, or choose another target."
    return SessionFailed("you", f"The agent can't serve process {pid}. {text}", step)


def _look(settings: Settings) -> str:
    if settings.log_path is None:
        return "Set HOME, so that there is a log, and try again."
    return f"The log has the reason: {settings.log_path.decode(errors='backslashreplace')}"


async def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the agent's end, which follows that of its connection; else end it."""
    if process.returncode is not None:
        return
    ended = os.pidfd_open(process.pid)
    try:
        with trio.move_on_after(PATIENCE) as patience:
            await trio.lowlevel.wait_readable(ended)
        if patience.cancelled_caught:
            process.kill()
            await trio.lowlevel.wait_readable(ended)
    finally:
        os.close(ended)
    process.wait()

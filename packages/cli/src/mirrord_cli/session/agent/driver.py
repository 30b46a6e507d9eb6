"""Says hello to an agent that was started on this machine, and sees to its end. How it is started is in
../starting/driver.py, what is asked of it in ../asker/driver.py; an agent in a cluster is met in ../clustered/driver.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.hello import hello_for, look, refused
from mirrord_cli.session.settings import Settings
from mirrord_cli.session.starting.driver import StartedAgent
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, open_client
from mirrord_protocol.failure import RemoteProtocolError

PATIENCE = 3.0
"""Seconds that an agent gets to end once its connection is closed."""


@asynccontextmanager
async def meet_agent(started: StartedAgent, settings: Settings) -> AsyncIterator[Client]:
    """Yield the client of an agent; when the block ends, or is cancelled, no process is left.

    Raises:
        SessionFailed: It refused, or isn't one.
    """
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(started.connection))
    try:
        async with open_client(stream, hello_for(settings.environment, started.token)) as client:
            yield client
    except RemoteError as error:
        raise refused(error.failure, settings.target.name) from None
    except (ConnectionLost, RemoteProtocolError) as error:
        await _end(started.process)
        text = f"The agent failed before it answered: {error} (exit code {started.process.returncode})."
        raise SessionFailed("us", text, look(settings)) from None
    finally:
        with trio.CancelScope(shield=True):
            await _end(started.process)


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

"""Starts an agent for a process of this machine and speaks to it: where a tool begins that has no session of mirrord's.

The agent is the command `mirrord-agent` of another package; nothing of it is imported. A session of mirrord starts its
agent by itself.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import trio

from mirrord_protocol.client import Client, open_client
from mirrord_protocol.values import Hello

COMMAND = "mirrord-agent"
PATIENCE = 3.0
"""Seconds that an agent gets to end once its connection is closed."""
_START_TIME = 19
"""Where the start time is in /proc/PID/stat, behind the name in parentheses (field 22, proc(5))."""


def find_agent() -> str:
    """Return the agent's command: beside this Python, else in PATH; raises FileNotFoundError."""
    beside = Path(sys.executable).parent / COMMAND
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(COMMAND)
    if found is None:
        raise FileNotFoundError(f"there is no {COMMAND} beside {sys.executable} or in PATH: install mirrord-agent")
    return found


def start_time(pid: int) -> int:
    """Return when a process was started, in clock ticks since boot; raises ProcessLookupError if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(f"there is no process {pid}") from None
    return int(stat.rpartition(b")")[2].split()[_START_TIME])


@asynccontextmanager
async def open_agent(
    pid: int,
    *,
    environment: bool = True,
    command: Sequence[str] | None = None,
    log: IO[bytes] | int = subprocess.DEVNULL,
) -> AsyncIterator[Client]:
    """Start an agent for a process, and yield a client of it; both end with the block.

    Args:
        pid: The target.
        environment: Whether the welcome is to have the target's environment.
        command: What starts the agent; `mirrord-agent` by default.
        log: Where the agent's log, lines of JSON, goes.

    Raises:
        ProcessLookupError: There is no such process.
        OSError: The agent can't be started.
        RemoteError: The agent refuses: it has no rights over the target, or the kernel is too old. The text says what.
        ConnectionLost: The agent went away before it answered.
    """
    token = secrets.token_bytes(32)
    process, connected = _start(command or [find_agent()], pid, token, log)
    error: Exception | None = None
    try:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(connected))
        async with open_client(stream, Hello(token, environment)) as client:
            try:
                yield client
            except Exception as from_block:  # noqa: BLE001 - raised again, when the agent has ended
                error = from_block
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)
    if error is not None:
        raise error


def _start(
    command: Sequence[str], pid: int, token: bytes, log: IO[bytes] | int
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    start = start_time(pid)
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [
            *command,
            "--target-pid", str(pid),
            "--target-start", str(start),
            "--connected-fd", str(theirs.fileno()),
            "--token-digest", hashlib.sha256(token).hexdigest(),
        ]  # fmt: skip
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[theirs.fileno()],
            )
        except OSError:
            ours.close()
            raise
    return process, ours


async def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the agent's end, which follows that of its connection; else end it."""
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

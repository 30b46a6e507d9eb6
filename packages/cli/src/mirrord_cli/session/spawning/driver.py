"""Starts the agent's process. It loads its modules while the session loads its own, so nothing heavy is imported here.

The agent inherits one end of a socket pair by number. The token never leaves memory: the agent's arguments, which every
user of the machine can read, have its SHA-256. What is said to the agent, and how it is ended, is in ../agent/.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import socket
from dataclasses import dataclass

from mirrord_cli.session.settings import Settings

BUFFER = 1 << 20
DEFAULTS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these; a program that it starts should not."""


@dataclass(slots=True)
class Spawned:
    """An agent's process, or why there is none."""

    token: bytes
    connection: socket.socket
    pid: int = 0
    error: OSError | None = None


def spawn(settings: Settings) -> Spawned:
    """Start an agent; what it prints goes to our standard error, which is the session's log."""
    token = secrets.token_bytes(32)
    ours, theirs = socket.socketpair()
    spawned = Spawned(token, ours)
    with theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)  # or as much as the system allows
        theirs.set_inheritable(True)
        command = [
            *settings.agent_command,
            "--target-pid", str(settings.target.pid),
            "--target-start", str(settings.target.start_time),
            "--connected-fd", str(theirs.fileno()),
            "--token-digest", hashlib.sha256(token).hexdigest(),
        ]  # fmt: skip
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
        try:
            spawned.pid = os.posix_spawnp(command[0], command, os.environ, file_actions=nothing, setsigdef=DEFAULTS)
        except OSError as error:
            spawned.error = error
    return spawned

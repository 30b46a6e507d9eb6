"""Starts the agent's process. It takes as long to load as the rest of the session does, so both load at once: nothing
here, or imported here, is slow.

The agent inherits one end of a socket pair by number. The token never leaves memory: the agent's arguments, which every
user of the machine can read, have its SHA-256. How it is spoken to, and ended, is in ../agent/driver.py.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

from mirrord_cli.session.failed import SessionFailed
from mirrord_cli.session.settings import LocalTarget, Settings

BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class StartedAgent:
    """An agent's process, which nobody has spoken to yet."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    token: bytes = field(repr=False)


def agent_environment(environment: Mapping[str, str], own_file: str) -> dict[str, str]:
    """Return an environment for the agent: without PYTHONPATH, which is the program's, unless mirrord comes from there."""
    folders = filter(os.path.isabs, environment.get("PYTHONPATH", "").split(os.pathsep))
    if any(own_file.startswith(os.path.join(os.path.normpath(folder), "")) for folder in folders):
        return dict(environment)
    return {name: value for name, value in environment.items() if name != "PYTHONPATH"}


def start_agent(settings: Settings, target: LocalTarget) -> StartedAgent | SessionFailed:
    """Start an agent for the target; its standard error is ours, which is the log."""
    token = secrets.token_bytes(32)
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)  # or as much as the system allows
    command = [
        *settings.agent_command,
        "--target-pid", str(target.pid),
        "--target-start", str(target.start_time),
        "--connected-fd", str(theirs.fileno()),
        "--token-digest", hashlib.sha256(token).hexdigest(),
    ]  # fmt: skip
    try:
        with theirs:
            process = subprocess.Popen(
                command,
                env=agent_environment(os.environ, __file__),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
    except OSError as error:
        ours.close()
        text = f"The agent can't be started: {command[0]}: {error.strerror}."
        return SessionFailed("us", text, "Install mirrord again.")
    return StartedAgent(process, ours, token)

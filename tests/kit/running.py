"""A program under mirrord and what belongs to it, for tests that kill and cut."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.kit.run import Runner, processes

SYS_PIDFD_GETFD = 438


def kill(pid: int) -> None:
    """End a process as a crash would."""
    os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Running:
    """A program under load, and what belongs to it."""

    program: subprocess.Popen[bytes]
    session: int
    agent: int
    agent_socket: int
    """The agent's descriptor of its connection."""
    name: str
    """The session's abstract socket."""

    @classmethod
    def find(cls, runner: Runner, program: subprocess.Popen[bytes]) -> Self:
        """Find what belongs to the only program that runs with the runner's mark."""
        others = {pid: line.split() for pid, line in processes(runner.mark).items() if pid != program.pid}
        (agent,) = (pid for pid, words in others.items() if "--connected-fd" in words)
        (session,) = (pid for pid, words in others.items() if "mirrord_cli" in words)
        variables = Path(f"/proc/{program.pid}/environ").read_bytes().split(b"\0")
        layer = next(value for value in variables if value.startswith(b"MIRRORD_LAYER="))
        descriptor = int(others[agent][others[agent].index("--connected-fd") + 1])
        return cls(program, session, agent, descriptor, layer.rpartition(b":")[2].decode())

    def cut(self) -> None:
        """End the connection between session and agent, both of which live on."""
        pidfd = os.pidfd_open(self.agent)
        try:
            descriptor = ctypes.CDLL(None, use_errno=True).syscall(SYS_PIDFD_GETFD, pidfd, self.agent_socket, 0)
            assert descriptor >= 0, os.strerror(ctypes.get_errno())
        finally:
            os.close(pidfd)
        with socket.socket(fileno=descriptor) as connection:
            connection.shutdown(socket.SHUT_RDWR)

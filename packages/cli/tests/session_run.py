"""A whole session in a process of its own, as launch/session.py starts it, with a real agent for a process here."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.session import Started, start_session
from mirrord_cli.launch.target import find_target
from mirrord_cli.session.settings import EnvironmentRules, FileRules, Settings
from mirrord_protocol.layer_values import LayerOperation
from session_layer import Got, ask

HERE = str(Path(__file__).parent)
"""Where programs that tests start find these modules."""
AGENT = (sys.executable, "-P", "-m", "mirrord_agent")


def settings_for(pid: int, folder: Path, **options: Any) -> Settings:
    """Settings with which `folder`/srv is the target's; `folder`/tmp is for the session's temporary files."""
    temporary, log = folder / "tmp", folder / "log"
    temporary.mkdir(exist_ok=True)
    log.touch(mode=0o600)
    settings = Settings(
        target=find_target(pid),
        agent_command=AGENT,
        files=FileRules(
            home=b"/nowhere", working_directory=b"/nowhere", temporary=b"/nowhere", executable=b"/bin/true",
            read_only=(f"^{folder}/srv", "^/proc/[0-9]+/comm$"),
        ),
        environment=EnvironmentRules(),
        library=b"/layer.so",
        log_path=os.fsencode(log),
        temporary_directory=os.fsencode(temporary),
        user_id=os.geteuid(),
    )  # fmt: skip
    return replace(settings, **options)


@dataclass
class Running:
    """A session, and the program's part in it."""

    folder: Path
    started: Started
    link: socket.socket
    pid: int

    def ask(self, operation: LayerOperation, name: str = "", **rest: Any) -> Got:
        path = os.fsencode(os.path.join(self.folder, "srv", name)) if name else b""
        return ask(self.link, operation, path, **rest)

    def agents(self) -> list[int]:
        """The processes that the session started."""
        found = []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == self.pid:
                found.append(int(name))
        return found

    def end(self) -> None:
        """End as the last program does."""
        self.link.close()
        os.close(self.started.table)


def gone(pid: int, seconds: float = 20) -> bool:
    """Wait until a process has ended; whether it has."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def process_of(name: bytes) -> int:
    """The process that listens on an abstract socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as end:
        end.connect(b"\0" + name)
        return int.from_bytes(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)


def log_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def round_trips(folder: Path) -> object:
    """So many questions the agent had in all."""
    [ended] = [line for line in log_of(folder) if line["event"] == "session ended"]
    return ended["round_trips"]


@contextmanager
def target() -> Iterator[int]:
    """A process to be looked at."""
    with subprocess.Popen(["sleep", "1000"], env={"SHOP": "Pears", "LINES": "1\n2", "HOME": "/there"}) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@contextmanager
def session(folder: Path | None = None, **options: Any) -> Iterator[Running]:
    """A session, whose end is waited for; nothing may be left of it."""
    with target() as pid, tempfile.TemporaryDirectory() as made:
        folder = folder or Path(made)
        (folder / "srv").mkdir(exist_ok=True)
        settings = settings_for(pid, folder, **options)
        started = start_session(settings, lambda text: None)
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, started.link)
        running = Running(folder, started, link, process_of(started.ready.socket_name))
        agents = running.agents()
        try:
            yield running
        finally:
            if link.fileno() >= 0:
                running.end()
            if not gone(running.pid):
                os.kill(running.pid, signal.SIGKILL)
                raise AssertionError("the session didn't end")
        assert all(gone(agent) for agent in agents)
        assert list((folder / "tmp").iterdir()) == []


def failure(folder: Path, **options: Any) -> MirrordError:
    """Why a session doesn't start."""
    with target() as pid:
        settings = settings_for(pid, folder, **options)
        with pytest.raises(MirrordError) as caught:
            start_session(settings, lambda text: None)
    assert list((folder / "tmp").iterdir()) == []
    return caught.value

"""Starts agents as they are started in pods: listening, with a container's rights, for a target in a control group.

The container's part is agent_beside.py's; targets are agent_kit.py's. All of it takes root.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

from agent_kit import HERE
from mirrord_agent.kernel.layouts import CAPABILITY_NAMES
from mirrord_protocol.client import Client, RemoteError, open_client
from mirrord_protocol.values import Failure, Hello

CLONE_NEWNET = 0x40000000
T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


def capabilities(names: str) -> int:
    """A set of capabilities, by their names."""
    return sum(1 << CAPABILITY_NAMES.index(name) for name in names.split())


DEFAULT = capabilities(
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
)
"""What runtimes give a container that asks for nothing."""


# ---------------------------------------------------------------------------------------------- control groups


def _groups() -> Path:
    """Where control groups can be made: the unified hierarchy, or one of version 1 that needs no limits."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    found = [fields[1] for fields in mounts if fields[2] == "cgroup2"]
    found += [fields[1] for fields in mounts if fields[2] == "cgroup" and "name=systemd" in fields[3]]
    for path in map(Path, found):
        if os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY:
            return path
    pytest.skip("this machine has no control groups that can be made")


@contextmanager
def container(pid: int) -> Iterator[tuple[str, Path]]:
    """Put a process into a control group named as a container's; yield its id, and the folder of its pod."""
    groups, id_ = _groups(), secrets.token_hex(32)
    pod = groups / f"mirrord-test-{secrets.token_hex(4)}"
    group = pod / f"cri-containerd-{id_}.scope"
    group.mkdir(parents=True)
    try:
        (group / "cgroup.procs").write_text(str(pid))
        yield id_, pod
    finally:
        with suppress(ProcessLookupError):
            (groups / "cgroup.procs").write_text(str(pid))
        for folder in (*pod.iterdir(), pod):
            if folder.is_dir():
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a group, when those in it have ended."""
    deadline = time.monotonic() + 30
    while True:
        try:
            folder.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            os.sched_yield()
        else:
            return


# ---------------------------------------------------------------------------------------------- networks


def in_network(pid: int, block: Callable[[], T]) -> T:
    """Run a block in a process's network; sockets made there stay there."""
    results: list[T] = []

    def work() -> None:
        with open(f"/proc/{pid}/ns/net", "rb") as file:
            assert _libc.setns(file.fileno(), CLONE_NEWNET) == 0
        results.append(block())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return results[0]


def set_up_loopback(pid: int) -> None:
    subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "link", "set", "lo", "up"], check=True)


def rules(pid: int) -> str:
    """All rules of a process's network."""
    command = ["nsenter", "-t", str(pid), "-n", "nft", "list", "ruleset"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# ---------------------------------------------------------------------------------------------- agents


@dataclass
class PodAgent:
    """A running agent that listens."""

    process: subprocess.Popen[bytes]
    port: int
    token: bytes
    words: Path
    log: list[dict[str, Any]] = field(default_factory=list)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Client]:
        while True:  # until the port is open
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", self.port)
                break
            except OSError:
                assert self.process.poll() is None
        async with open_client(stream, Hello(self.token)) as client:
            yield client

    def talk(self, block: Callable[[Client], Awaitable[T]]) -> T:
        """Run a block of calls, as its session."""

        async def run() -> T:
            with trio.fail_after(60):
                async with self.session() as client:
                    return await block(client)

        return trio.run(run)

    def refusal(self) -> Failure:
        """The failure with which it refuses its session."""

        async def block(_: Client) -> None:
            pytest.fail("the session was welcome")

        with pytest.raises(RemoteError) as caught:
            self.talk(block)
        return caught.value.failure

    def wait_ready(self) -> None:
        """Return when it has loaded all, and found its target or not."""
        assert self.process.stdout
        assert b'"ready"' in self.process.stdout.readline()

    def last_words(self, code: int = 0) -> str:
        """What it said last, when it has ended with this exit code."""
        assert self.process.wait(60) == code
        return self.words.read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def start_in_pod(
    words: Path, *target: str, container_options: Sequence[str] = (), options: Sequence[str] = (), port: int = 0
) -> Iterator[PodAgent]:
    """Run an agent until the block ends; it must have ended by itself then, and have logged JSON alone."""
    token, port = secrets.token_bytes(32), port or free_port()
    words.touch()
    words.chmod(0o666)
    process = subprocess.Popen(
        [
            *(sys.executable, str(HERE / "agent_beside.py"), *container_options, "--"),
            *("--listen", str(port), "--token-digest", hashlib.sha256(token).hexdigest(), *target),
            *("--termination-log", str(words), *options),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    agent = PodAgent(process, port, token, words)
    with process:
        try:
            yield agent
            _, log = process.communicate(timeout=60)
        except BaseException:
            process.kill()
            raise
        agent.log += [json.loads(line) for line in log.splitlines()]

"""Starts targets and agents for this package's tests, as root and as an ordinary user, and knows the truth about them.

The target itself is agent_remote.py. Files are put into it, and the truth is read, through /proc/PID/root: past the
agent. The agent is the real program, over a real socket, with the protocol's own client.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio

from mirrord_protocol.client import Client, RemoteError, open_client
from mirrord_protocol.messages import decode_chunks
from mirrord_protocol.values import NO_FLAGS, DirectoryEntry, Failure, Hello, OpenFlag

HERE = Path(__file__).parent
NOBODY = 65534
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
T = TypeVar("T")

# An interpreter in a folder of root's can't be started by anybody else: load everything first, then become them.
AS_SOMEBODY = """\
import os, sys
import mirrord_agent.__main__ as agent, mirrord_agent.life.driver, mirrord_agent.server, structlog
mirrord_agent.server.load_names()
uid = int(sys.argv[1])
os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
sys.exit(agent.main(sys.argv[2:]))
"""


# ---------------------------------------------------------------------------------------------- targets


@dataclass(frozen=True, slots=True)
class Target:
    """A running target."""

    process: subprocess.Popen[bytes]
    pid: int

    @property
    def start(self) -> int:
        return start_of(self.pid)

    def path(self, remote: str | bytes) -> bytes:
        """Where we see its file `remote`. Absolute links below it would lead into our own root."""
        return b"/proc/%d/root" % self.pid + os.fsencode(remote)

    def write(self, remote: str | bytes, content: bytes = b"", *, mode: int = 0o644) -> bytes:
        """Put a file into it."""
        path = self.path(remote)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def link(self, remote: str | bytes, to: str | bytes) -> None:
        """Put a symbolic link into it."""
        os.symlink(os.fsencode(to), self.path(remote))

    def kill(self) -> None:
        """End it as a crash would, and wait until it is gone."""
        os.kill(self.pid, 9)
        self.process.wait()


def start_of(pid: int) -> int:
    """When a process was started, as its stat has it."""
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])


@contextmanager
def start_target(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Target]:
    """Run agent_remote.py until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", str(HERE / "agent_remote.py"), *arguments],
        env=dict(environment or {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdin and process.stdout and process.stderr
        line = process.stdout.readline()
        try:
            if not line:
                reason = process.stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
                pytest.skip(f"this machine allows no such target: {reason}")
            yield Target(process, int(line))
        finally:
            process.stdin.close()
            process.wait()


def isolated(*arguments: str) -> tuple[str, ...]:
    """The arguments of a target with a root of its own, whoever we are."""
    return (*arguments, "--isolated") if IS_ROOT else (*arguments, "--user-namespace=mapped", "--isolated")


# ---------------------------------------------------------------------------------------------- agents


@dataclass
class Agent:
    """A running agent, and our end of its socket."""

    process: subprocess.Popen[bytes]
    socket: socket.socket
    token: bytes
    ready: dict[str, Any]
    log: list[dict[str, Any]] = field(default_factory=list)

    def status(self) -> dict[str, str]:
        """What /proc says of it."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@contextmanager
def start_agent(
    pid: int,
    start: int | None = None,
    *,
    user: int | None = None,
    options: Sequence[str] = (),
) -> Iterator[Agent]:
    """Run an agent for a process until the block ends; it must end by itself then, and have logged JSON alone."""
    token = secrets.token_bytes(32)
    ours, its = socket.socketpair()
    command = (
        [sys.executable, "-m", "mirrord_agent"] if user is None else [sys.executable, "-c", AS_SOMEBODY, str(user)]
    )
    command += [
        "--target-pid", str(pid), "--target-start", str(start_of(pid) if start is None else start),
        "--connected-fd", str(its.fileno()), "--token-digest", hashlib.sha256(token).hexdigest(), *options,
    ]  # fmt: skip
    with its:
        process = subprocess.Popen(
            command,
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
        )
    with process, ours:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        assert line, process.stderr.read().decode()
        agent = Agent(process, ours, token, json.loads(line))
        try:
            yield agent
        finally:
            ours.close()
            try:
                out, log = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            agent.log += [json.loads(line) for line in log.splitlines()]
            assert out == b""


@asynccontextmanager
async def client_of(agent: Agent, hello: Hello | None = None) -> AsyncIterator[Client]:
    """The protocol's client of an agent."""
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(agent.socket))
    async with open_client(stream, hello or Hello(agent.token)) as client:
        yield client


def talk(agent: Agent, block: Callable[[Client], Awaitable[T]], hello: Hello | None = None) -> T:
    """Run a block of calls against an agent."""

    async def run() -> T:
        with trio.fail_after(60):
            async with client_of(agent, hello) as client:
                return await block(client)

    return trio.run(run)


def play(target: Target, block: Callable[[Client], Awaitable[T]], **options: Any) -> T:
    """Run a block of calls against an agent of a target's own."""
    with start_agent(target.pid, **options) as agent:
        return talk(agent, block)


def refusal(agent: Agent, hello: Hello | None = None) -> Failure:
    """The failure with which an agent refuses a session."""

    async def block(_: Client) -> None:
        pytest.fail("the session was welcome")

    with pytest.raises(RemoteError) as caught:
        talk(agent, block, hello)
    return caught.value.failure


# ---------------------------------------------------------------------------------------------- calls


async def failing(awaitable: Awaitable[object]) -> str:
    """The errno's name, or the kind, of the failure that a call ends with."""
    with pytest.raises(RemoteError) as caught:
        await awaitable
    return caught.value.failure.errno or caught.value.failure.kind.name


async def content(client: Client, path: bytes, flags: OpenFlag = NO_FLAGS) -> bytes:
    """What follows an open."""
    file = await client.open(path, flags=flags)
    data = await file.data.receive_all()
    file.close()
    return data


async def entries(client: Client, path: bytes) -> list[DirectoryEntry]:
    """A whole listing."""
    listing = await client.list(path)
    return list(decode_chunks(await listing.data.receive_all()))

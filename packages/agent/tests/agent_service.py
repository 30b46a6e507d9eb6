"""An agent's service within the test's own process, for a folder as the target's root and the test as the target.

Quicker than a process for each test; who has which rights, and /proc, are tested with real agents: see agent_kit.py.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import trio

from agent_kit import start_of
from mirrord_agent.log import Log
from mirrord_agent.server import run
from mirrord_agent.target.driver import HeldTarget
from mirrord_protocol.client import Client, open_client
from mirrord_protocol.server import Service, Until
from mirrord_protocol.server import serve as protocol_serve
from mirrord_protocol.values import Failure, Hello

TOKEN = bytes(range(32))
T = TypeVar("T")


def hold_folder(root: Path) -> HeldTarget:
    """A target that is this process, with a folder as its root."""
    pid = os.getpid()
    process = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY)
    return HeldTarget(
        pid=pid,
        process=process,
        death=os.pidfd_open(pid),
        root=os.open(root, os.O_PATH | os.O_DIRECTORY),
        memory=os.open("statm", os.O_RDONLY, dir_fd=process),
        variables=os.open("environ", os.O_RDONLY, dir_fd=process),
        user_id=os.geteuid(),
        group_id=os.getegid(),
        name=b"test",
        hostname=b"here",
        working_directory=b"/",
        outside_root=os.fsencode(root),
        process_ids=(pid,),
        start=start_of(pid),
    )


@asynccontextmanager
async def service(root: Path) -> AsyncIterator[Client]:
    """A client of a service for a folder."""
    ours, its = trio.socket.socketpair()
    held = hold_folder(root)
    async with trio.open_nursery() as nursery:
        digest = hashlib.sha256(TOKEN).digest()

        async def carry(service: Service, until: Until) -> Failure:
            return await protocol_serve(trio.SocketStream(its), token_digest=digest, service=service, until=until)

        async def never() -> Failure:
            await trio.sleep_forever()

        nursery.start_soon(partial(run, carry, held, Log("error"), owner="another session", told_to_end=never))
        async with open_client(trio.SocketStream(ours), Hello(TOKEN, environment=False)) as client:
            yield client
    for fd in (held.process, held.death, held.root, held.memory, held.variables):
        os.close(fd)


def serve(root: Path, block: Callable[[Client], Awaitable[T]]) -> T:
    """Run a block of calls against a service for a folder; no descriptor may be left open."""

    async def go() -> T:
        with trio.fail_after(60):
            async with service(root) as client:
                return await block(client)

    before = descriptors()
    result = trio.run(go)
    deadline = time.monotonic() + 10
    # A thread that nobody waits for may still use some.
    while left := {number: what for number, what in descriptors().items() if number not in before}:
        assert time.monotonic() < deadline, left
        os.sched_yield()
    return result


def descriptors() -> dict[str, str]:
    """This process's descriptors, but for the listing's own, and what each of them is."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found[number] = os.readlink(f"/proc/self/fd/{number}")
    return found

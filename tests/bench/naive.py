"""A client that asks the agent once for each call of the program, as one would write first. For comparison only."""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import trio

from mirrord_protocol.client import Client, RemoteError, open_client
from mirrord_protocol.messages import decode_chunks
from mirrord_protocol.values import Hello
from tests.kit.target import Target

Calls = Callable[[Client, str], AsyncIterator[None]]


async def call_small(client: Client, shop: str) -> AsyncIterator[None]:
    """open, fstat, read, close."""
    for _ in range(2):
        file = await client.open(f"{shop}/small.txt".encode(), content=0, head=0)
        await client.stat(f"{shop}/small.txt".encode())
        assert len(await file.read(0, 4096).receive_all()) == 100
        file.close()
        yield


async def call_stat(client: Client, shop: str) -> AsyncIterator[None]:
    """stat."""
    for _ in range(2):
        await client.stat(f"{shop}/small.txt".encode())
        yield


async def call_negative(client: Client, shop: str) -> AsyncIterator[None]:
    """stat of what isn't there."""
    for _ in range(2):
        try:
            await client.stat(f"{shop}/nothing".encode())
        except RemoteError:
            yield


async def call_listing(client: Client, shop: str) -> AsyncIterator[None]:
    """Names, then a stat for each."""
    for _ in range(2):
        listing = await client.list(f"{shop}/hundred".encode())
        for entry in decode_chunks(await listing.data.receive_all()):
            await client.stat(f"{shop}/hundred/".encode() + entry.name, follow=False)
        yield


async def call_reads(client: Client, shop: str) -> AsyncIterator[None]:
    """A read for each 4 KiB."""
    file = await client.open(f"{shop}/ten.bin".encode(), content=0, head=0)
    for offset in range(0, 10_000_000, 4096):
        await file.read(offset, 4096).receive_all()
    yield


async def call_modules(client: Client, shop: str) -> AsyncIterator[None]:
    """What CPython's import asks for each module: stats of its folder and file, open, fstat, read."""
    for number in range(50):
        await client.stat(f"{shop}/lib/wide".encode())
        await client.stat(f"{shop}/lib/wide/part{number}.py".encode())
        file = await client.open(f"{shop}/lib/wide/part{number}.py".encode(), content=0, head=0)
        await client.stat(f"{shop}/lib/wide/part{number}.py".encode())
        await file.read(0, 4096).receive_all()
        file.close()
    yield


CALLS: dict[str, Calls] = {
    "small": call_small, "stat": call_stat, "negative": call_negative,
    "listing": call_listing, "reads": call_reads, "modules": call_modules,
}  # fmt: skip


def _start(target: Target, command: str, token: bytes) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """An agent of our own, started as a session would, and our end of its socket."""
    ours, its = socket.socketpair()
    start = Path(f"/proc/{target.pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    arguments = [
        *shlex.split(command), "--target-pid", str(target.pid), "--target-start", start,
        "--connected-fd", str(its.fileno()), "--token-digest", hashlib.sha256(token).hexdigest(),
    ]  # fmt: skip
    with its:
        process = subprocess.Popen(
            arguments, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=os.sep
        )
    return process, ours


def measure(name: str, target: Target, command: str, shop: str) -> tuple[list[float], int]:
    """Run one of CALLS; the milliseconds of each time, and the round trips of all."""

    token = secrets.token_bytes(32)
    process, ours = _start(target, command, token)

    async def run() -> tuple[list[float], int]:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        async with open_client(stream, Hello(token)) as client:
            times, before = [], time.perf_counter()
            async for _ in CALLS[name](client, shop):
                now = time.perf_counter()
                times.append((now - before) * 1000)
                before = time.perf_counter()
            return times, client.round_trips

    try:
        return trio.run(run)
    finally:
        process.wait()

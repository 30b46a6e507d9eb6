"""Many requests at once, closed and cancelled at any time: nothing is left open, nothing is a defect of the agent's."""

from __future__ import annotations

import os
import random
from pathlib import Path

import trio

from agent_service import serve
from mirrord_protocol.client import Client, RemoteError
from mirrord_protocol.values import FailureKind, Form

PATHS = (b"/a/small", b"/a/middle", b"/large", b"/fifo", b"/link/small", b"/loop", b"/nothing", b"/a", b"/many")
PATIENCE = (0, 0.0001, 0.001, 0.01, 5)


def fill(root: Path) -> None:
    for folder in ("a", "many"):
        (root / folder).mkdir()
    (root / "a/small").write_bytes(b"x" * 100)
    (root / "a/middle").write_bytes(b"x" * 300_000)
    (root / "large").write_bytes(bytes(4 << 20))
    for number in range(400):
        (root / f"many/{number}").touch()
    (root / "link").symlink_to("a")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")


async def ask(client: Client, chance: random.Random, root: Path) -> None:
    """One question, and some of what may follow it."""
    path = chance.choice(PATHS)
    match chance.randrange(6):
        case 0 | 1:
            file = await client.open(path, content=chance.choice([0, 1 << 20]), head=chance.choice([0, 1 << 17]))
            with trio.move_on_after(chance.choice(PATIENCE)):
                if file.opened.form == Form.LARGE:
                    await file.read(chance.randrange(4 << 20), chance.randrange(1 << 20)).receive_all()
                elif file.opened.form == Form.WHOLE:
                    await file.data.receive_all()
            file.close()
        case 2:
            listing = await client.list(path, watch=chance.random() < 0.7)
            if chance.random() < 0.5:
                await listing.data.receive_all()
            if chance.random() < 0.2:
                (root / "a" / str(chance.random())).touch()
            listing.close()
        case 3:
            await client.stat(path)
        case 4:
            await client.realpath(path)
        case 5:
            await client.readlink(path)


def test_stress(tmp_path: Path) -> None:
    fill(tmp_path)

    async def work(client: Client, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(60):
            with trio.move_on_after(chance.choice(PATIENCE)):
                try:
                    await ask(client, chance, tmp_path)
                except RemoteError as error:
                    assert error.failure.kind == FailureKind.SYSTEM, error.failure  # noqa: PT017

    async def block(client: Client) -> None:
        async with trio.open_nursery() as nursery:
            for seed in range(12):
                nursery.start_soon(work, client, seed)
        await client.stat(b"/")

    serve(tmp_path, block)

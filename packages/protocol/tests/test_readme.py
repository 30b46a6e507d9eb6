"""The README's examples run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from mirrord_protocol.client import Client
from protocol_network import listen, network
from protocol_service import Service, connected, socket_streams

README = Path(__file__).parent.parent / "README.md"


def names() -> dict[str, Any]:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    found: dict[str, Any] = {}
    exec(compile(example, str(README), "exec"), found)
    return found


def test_files(capsys: pytest.CaptureFixture[str]) -> None:
    example = names()

    @asynccontextmanager
    async def open_agent(pid: int) -> AsyncIterator[Client]:
        assert pid == 5
        async with connected(Service({b"/etc/hostname": b"box\n"}), socket_streams()) as (client, _):
            yield client

    example["open_agent"] = open_agent
    trio.run(example["look_around"], 5)
    said = capsys.readouterr().out.splitlines()

    assert said[:2] == ["target: b'python3' 0 variables", "b'box\\n'"]
    assert said[2] == "b'plain' ?"
    assert said[-1] == "ENOENT"


def test_connections(capsys: pytest.CaptureFixture[str]) -> None:
    example = names()

    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"200")

    async def run() -> None:
        async with network() as (client, _, nursery):

            @asynccontextmanager
            async def open_agent(pid: int) -> AsyncIterator[Client]:
                yield client

            example["open_agent"] = open_agent
            to = await listen(nursery, answer)
            await example["talk"](5, b"localhost", to.port)

    trio.run(run)
    assert capsys.readouterr().out == "b'200'\n"

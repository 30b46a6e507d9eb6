"""The README's example runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import trio

from mirrord_protocol.server import serve
from protocol_samples import TOKEN
from protocol_service import DIGEST, Service

README = Path(__file__).parent.parent / "README.md"


def test_the_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, str(README), "exec"), names)
    path = str(tmp_path / "agent")

    async def agent(listener: trio.socket.SocketType) -> None:
        connected, _ = await listener.accept()
        await serve(trio.SocketStream(connected), token_digest=DIGEST, service=Service({b"/etc/hostname": b"box\n"}))

    async def run() -> None:
        with trio.socket.socket(trio.socket.AF_UNIX) as listener:
            await listener.bind(path)
            listener.listen()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(agent, listener)
                await names["look_around"](path, TOKEN)

    trio.run(run)
    said = capsys.readouterr().out.splitlines()

    assert said[:2] == ["target: b'python3'", "12345 b'box\\n'"]
    assert said[2:4] == ["b'.' 12345", "b'..' 0"]
    assert said[-1] == "ENOENT"

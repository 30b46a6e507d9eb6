"""Starting an agent for a process: the command line, the errors, and that no process is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from mirrord_protocol import ConnectionLost, open_agent
from mirrord_protocol.starting import driver

AGENT = [sys.executable, str(Path(__file__).parent / "protocol_agent.py")]


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def children() -> str:
    return subprocess.run(
        ["ps", "-ww", "-o", "args", "--ppid", str(os.getpid())], capture_output=True, text=True
    ).stdout


def test_an_agent_serves_and_ends_with_the_block() -> None:
    async def run() -> bytes:
        async with open_agent(os.getpid(), command=AGENT) as client:
            assert "protocol_agent" in children()
            return await client.read_file(b"/pid")

    assert trio.run(run) == b"%d %d" % (os.getpid(), driver.start_time(os.getpid()))
    assert "protocol_agent" not in children()


def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    async def run() -> None:
        async with open_agent(os.getpid(), command=AGENT):
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        trio.run(run)


def test_an_agent_that_goes_before_it_answers() -> None:
    async def run() -> None:
        async with open_agent(os.getpid(), command=[*AGENT, "--refuse"]):
            raise AssertionError("never reached")

    with pytest.raises(ConnectionLost):
        trio.run(run)


def test_no_such_process_and_no_such_command() -> None:
    async def run(pid: int) -> None:
        async with open_agent(pid, command=["/nope"]):
            raise AssertionError("never reached")

    with pytest.raises(ProcessLookupError, match="no process 99999999"):
        trio.run(run, 99_999_999)
    with pytest.raises(FileNotFoundError, match="/nope"):
        trio.run(run, os.getpid())


def test_the_command_is_beside_python_or_in_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(FileNotFoundError, match="install mirrord-agent"):
        driver.find_agent()
    for found in (tmp_path / "bin" / "mirrord-agent", tmp_path / "mirrord-agent"):
        found.parent.mkdir(exist_ok=True)
        found.write_text("")
        found.chmod(0o755)
        assert driver.find_agent() == str(found)


def test_an_agent_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PATIENCE", 0.01)
    process = subprocess.Popen(["sleep", "1000"])
    trio.run(driver._end, process)

    assert process.returncode == -9

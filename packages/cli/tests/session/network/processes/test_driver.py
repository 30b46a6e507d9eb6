"""What processes were started with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirrord_cli.session.network.processes import driver
from mirrord_cli.session.network.processes.driver import Processes, read_arguments

WAIT = "import sys; print('ready', flush=True); sys.stdin.read()"


def start(*arguments: str, name: str = "", **variables: str) -> subprocess.Popen[bytes]:
    """A process that has run its first line."""
    process = subprocess.Popen(
        [name or sys.executable, "-c", WAIT, *arguments], executable=sys.executable,
        env=os.environ | variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.communicate()


def test_a_process_is_looked_at_once() -> None:
    processes = Processes()
    process = start("--frontend-port=4321", NODE_OPTIONS="--inspect=9230")

    assert processes.new_ports(process.pid) == {4321, 9230}
    assert processes.new_ports(process.pid) == frozenset()
    end(process)
    assert processes.new_ports(process.pid) == frozenset()


def test_files_of_arguments_are_the_processs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "args").write_text("-agentlib:jdwp=transport=dt_socket,address=localhost:5005\n")
    monkeypatch.chdir(tmp_path)
    process = start("@args", name="java")
    monkeypatch.chdir("/")

    assert Processes().new_ports(process.pid) == {5005}
    end(process)


def test_files_of_arguments_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert read_arguments("/", "no such file") == ""
    assert read_arguments(str(tmp_path), "pipe") == ""
    assert read_arguments("/", str(tmp_path)) == ""
    assert len(read_arguments("/", "dev/zero")) == driver.LARGEST


def test_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "MOST", 1)
    processes = Processes()
    one, two = start("--frontend-port=1"), start("--frontend-port=2")

    assert [processes.new_ports(each.pid) for each in (one, two, one)] == [{1}, {2}, {1}]
    end(one)
    end(two)


def test_a_process_that_is_nobody() -> None:
    assert Processes().new_ports(0) == frozenset()
    assert Processes().new_ports(99_999_999) == frozenset()

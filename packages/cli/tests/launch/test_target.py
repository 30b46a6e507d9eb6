"""Which process `process/PID` names."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mirrord_cli.errors import MirrordError
from mirrord_cli.launch.target import find_target


def refusal(pid: int) -> str:
    with pytest.raises(MirrordError) as caught:
        find_target(pid)
    assert caught.value.next_step
    return str(caught.value)


def test_a_running_process() -> None:
    target = find_target(os.getpid())

    assert target.pid == os.getpid()
    assert target.start_time == int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])


def test_a_name_with_parentheses_and_blanks() -> None:
    program = "open('/proc/self/comm', 'w').write('a) R (b'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()

        assert find_target(process.pid).start_time > find_target(1).start_time
        process.communicate(b"\n")


@pytest.mark.parametrize("pid", [0, -1, 99_999_999_999, (1 << 22)])
def test_a_number_that_is_none(pid: int) -> None:
    assert "no process" in refusal(pid)


def test_a_process_that_has_ended() -> None:
    process = subprocess.Popen(["true"])
    process.wait()

    assert f"no process {process.pid}" in refusal(process.pid)


def test_a_process_whose_parent_did_not_notice_yet() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert "has ended" in refusal(process.pid)


def test_a_thread() -> None:
    ready, end = threading.Event(), threading.Event()
    numbers: list[int] = []

    def run() -> None:
        numbers.append(threading.get_native_id())
        ready.set()
        end.wait()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        assert "thread" in refusal(numbers[0])
    finally:
        end.set()
        thread.join()

"""What is done before all is loaded: the port, last words, the order to end; and that nothing large is loaded for it."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mirrord_agent.starting.driver import FIRST_TO_GO, WORDS_SIZE, LastWords, go_first, listen
from network_kit import everybody, ip, play


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_port_of_the_loopback_and_no_other() -> None:
    with listen(free_port()) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        with socket.create_connection((host, port), timeout=10), listener.accept()[0]:
            pass
        with pytest.raises(OSError) as caught:
            listen(port)
    assert caught.value.errno == errno.EADDRINUSE
    with listen(port):  # at once again, though a connection of before is remembered
        pass


@everybody
def test_without_ipv4_it_is_the_other_loopback(ordinary: bool) -> None:
    def block() -> tuple[str, int]:
        ip("address", "del", "127.0.0.1/8", "dev", "lo")
        with listen(4711) as listener:
            first: str = listener.getsockname()[0]
        ip("address", "flush", "dev", "lo")
        with pytest.raises(OSError) as caught:
            listen(4711)
        return first, caught.value.errno or 0

    assert play(block, ordinary=ordinary) == ("::1", errno.EADDRNOTAVAIL)


def test_nothing_large_is_loaded_before_the_port_is_open() -> None:
    program = (
        "import sys, mirrord_agent.__main__\n"
        "large = {'trio', 'capnp', 'mirrord_protocol', 'structlog', 'dns', 'nftables', 'ctypes', 'asyncio'}\n"
        "print(*sorted(large & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_last_words_take_the_place_of_those_before(tmp_path: Path) -> None:
    path = tmp_path / "log"
    words = LastWords(str(path))
    words.say("The target can't be served: a long reason.")
    words.say("The agent has ended.")
    assert path.read_text() == "The agent has ended."
    words.say("é" * WORDS_SIZE)
    assert path.read_text() == "é" * (WORDS_SIZE // 2)
    assert words.failure is None


def test_last_words_for_nobody() -> None:
    words = LastWords(None)
    words.say("x")
    assert words.failure is None


def test_last_words_that_cannot_be_written(tmp_path: Path) -> None:
    words = LastWords(str(tmp_path / "nothing" / "log"))
    words.say("x")
    assert words.failure is not None
    assert "No such file" in words.failure
    words = LastWords("/dev/full")
    words.say("x")
    assert words.failure == os.strerror(errno.EINVAL)  # it is no file, as the kubelet's is


def test_whom_the_kernel_ends_first() -> None:
    child = os.fork()
    if not child:
        go_first()
        os._exit(Path("/proc/self/oom_score_adj").read_bytes().strip() != FIRST_TO_GO)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_while_it_starts(number: signal.Signals) -> None:
    program = (
        "import os, signal\nfrom mirrord_agent.starting.driver import end_when_told\n"
        f"end_when_told()\nos.kill(os.getpid(), {int(number)})\nsignal.pause()"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0

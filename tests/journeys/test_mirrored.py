"""A mirrored port: the target answers, the program gets a copy, and neither waits for the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.around import Around
from tests.kit.network import TARGET
from tests.kit.run import PYTHON, Runner
from tests.kit.serving import answered_by_target, configured, free_port, request, serving

pytestmark = pytest.mark.journey
PROGRAMS = Path(__file__).parent / "programs"
SERVE = [PYTHON, str(PROGRAMS / "serve.py")]


def test_mirrored(runner: Runner, around: Around, port: int) -> None:
    """The target answers, and nothing that the program says is heard; the copy says truly who asked, and where."""
    target = around.target
    with serving(runner, target, *SERVE, "copy", "0.0.0.0", str(port), options=["-q"]) as program:
        assert program.line() == f"listening 0.0.0.0:{port}"
        with target.peer.connect((TARGET, port)) as sock:
            ours = sock.getsockname()
            assert request(sock, "/first").startswith("target")
            assert program.line() == "got GET /first HTTP/1.1"
            assert request(sock, "/second").startswith("target")
            assert program.line() == "got GET /second HTTP/1.1"
        size = sum(len(f"GET /{word} HTTP/1.1\r\nHost: target\r\n\r\n") for word in ("first", "second"))
        assert program.line() == f"end {size} {ours[0]}:{ours[1]} {TARGET}:{port}"
    assert answered_by_target(target, port)


def test_mirrored_answers_are_not_heard(runner: Runner, around: Around, port: int) -> None:
    target = around.target
    with serving(runner, target, *SERVE, "http", "0.0.0.0", str(port), options=["-q"]) as program:
        program.line()
        with target.peer.connect((TARGET, port)) as sock:
            for _ in range(5):
                assert request(sock).startswith("target")
            sock.settimeout(0.2)
            with pytest.raises(TimeoutError):
                sock.recv(1)


def test_mirrored_server_that_speaks_first(runner: Runner, around: Around) -> None:
    target = around.target
    options = configured(runner, mode="mirror", port_mapping=[[2525, 25]])
    with serving(runner, target, *SERVE, "copy", "0.0.0.0", "2525", options=options) as program:
        program.line()
        with target.peer.connect((TARGET, 25)) as sock:
            assert sock.recv(100) == b"220 target ready\r\n"
            sock.sendall(b"HELO")
            assert sock.recv(100) == b"target heard HELO"
        assert program.line() == "got HELO"


def test_mirror_that_reads_nothing(runner: Runner, own_around: Around) -> None:
    """The target isn't held up: it gets all of what comes, and the copy is dropped."""
    target, port = own_around.target, free_port()
    target.listen(port, "echo")
    with serving(runner, target, *SERVE, "silent", "0.0.0.0", str(port), options=["-q"]) as program:
        program.line()
        with target.peer.connect((TARGET, port), timeout=30) as sock:
            got = 0
            for _ in range(400):
                sock.sendall(b"x" * 65536)
                while got % 65536 or not got:
                    got += len(sock.recv(65536))
                got = 0
        with target.peer.connect((TARGET, port)) as sock:
            sock.sendall(b"still")
            assert sock.recv(100) == b"still"

"""Which ports are stolen, for whom, and what becomes of connections established before; several sessions."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.around import Around
from tests.kit.network import PEER, TARGET
from tests.kit.run import PYTHON, Runner
from tests.kit.serving import answered_by_target, configured, free_port, get, read_all, request, serving, wait_until

pytestmark = pytest.mark.journey
PROGRAMS = Path(__file__).parent / "programs"
SERVE = [PYTHON, str(PROGRAMS / "serve.py")]


def test_port_mapping(runner: Runner, around: Around, port: int) -> None:
    own = free_port()
    with serving(
        runner,
        around.target,
        *SERVE,
        "http",
        "0.0.0.0",
        str(own),
        options=configured(runner, port_mapping=[[own, port]]),
    ) as program:
        assert program.line() == f"listening 0.0.0.0:{own}"
        # getsockname of a connection says the port that the program listens on, the peer who it is.
        assert get(around.target.peer, port).startswith(f"program, to {PEER}:")
        assert get(around.target.peer, own) == "ConnectionRefusedError"
    assert answered_by_target(around.target, port)


def test_listen_ports(runner: Runner, around: Around, port: int) -> None:
    own = free_port()
    with serving(
        runner,
        around.target,
        *SERVE,
        "http",
        "127.0.0.1",
        str(port),
        options=configured(runner, listen_ports=[[port, own]]),
        quiet=False,
    ) as program:
        assert program.line() == f"listening 127.0.0.1:{port}"
        assert get(around.target.peer, port).startswith("program")
        with socket.create_connection(("127.0.0.1", own)) as sock:
            assert request(sock).startswith("program, to 127.0.0.1")
    assert answered_by_target(around.target, port)


@pytest.mark.parametrize("rule", ["ignore_ports", "ports", "ignore_localhost", "off"])
def test_ports_that_stay_here(runner: Runner, around: Around, port: int, rule: str) -> None:
    rules: dict[str, dict[str, Any]] = {
        "ignore_ports": {"ignore_ports": [port]},
        "ports": {"ports": [port + 1 if port < 65535 else 1]},
        "ignore_localhost": {"ignore_localhost": True},
        "off": {"mode": "off"},
    }
    with serving(
        runner, around.target, *SERVE, "http", "127.0.0.1", str(port), options=configured(runner, **rules[rule])
    ) as program:
        assert program.line() == f"listening 127.0.0.1:{port}"
        assert answered_by_target(around.target, port)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            assert request(sock).startswith("program, to 127.0.0.1")


def test_ports_that_are_stolen(runner: Runner, around: Around, port: int) -> None:
    with serving(
        runner, around.target, *SERVE, "http", "127.0.0.1", str(port), options=configured(runner, ports=[port])
    ) as program:
        program.line()
        assert get(around.target.peer, port).startswith("program")


def test_own_loopback_is_not_stolen_unless_wanted(runner: Runner, around: Around, port: int) -> None:
    with serving(
        runner, around.target, *SERVE, "http", "0.0.0.0", str(port), options=configured(runner, loopback=False)
    ) as program:
        program.line()
        assert get(around.target.inside, port, "127.0.0.1").startswith("target")
        assert get(around.target.inside, port, TARGET).startswith("target")
        assert get(around.target.peer, port).startswith("program")


@pytest.mark.parametrize("mode", ["steal", "mirror"])
@pytest.mark.parametrize("flush", [True, False])
def test_connections_established_before(runner: Runner, around: Around, port: int, mode: str, flush: bool) -> None:
    target = around.target
    with target.peer.connect((TARGET, port)) as old, target.inside.connect(("127.0.0.1", port)) as local:
        assert request(old).startswith("target")
        assert request(local).startswith("target")
        with serving(
            runner, target, *SERVE, "http", "0.0.0.0", str(port), options=configured(runner, mode=mode, flush=flush)
        ) as program:
            program.line()
            for sock in (old, local):
                if flush:
                    with pytest.raises((ConnectionResetError, BrokenPipeError)):
                        request(sock)
                else:
                    assert request(sock).startswith("target")
            assert get(target.peer, port).startswith("program" if mode == "steal" else "target")
    assert answered_by_target(target, port)


def test_port_that_another_session_has(runner: Runner, around: Around, port: int) -> None:
    """The second is told who holds it."""
    with serving(runner, around.target, *SERVE, "http", "127.0.0.1", str(port)) as first:
        first.line()
        second_runner = Runner(runner.folder, mark=runner.mark)
        with serving(second_runner, around.target, *SERVE, "http", "127.0.0.2", str(port), quiet=False) as second:
            assert second.line() == "failed OSError 98"
            code, _ = second.process.wait(30), None
            assert second.process.stderr
            said = second.process.stderr.read().decode()
        assert code == 3
        assert f"port {port} of the target is held by" in said
        assert get(around.target.peer, port).startswith("program")
    assert answered_by_target(around.target, port)


def test_two_sessions_with_a_port_each(runner: Runner, around: Around, port: int) -> None:
    other = free_port()
    around.target.listen(other)
    with (
        serving(runner, around.target, *SERVE, "http", "0.0.0.0", str(port)) as first,
        serving(runner, around.target, *SERVE, "copy", "0.0.0.0", str(other), options=["-q"]) as second,
    ):
        first.line(), second.line()
        assert get(around.target.peer, port).startswith("program")
        assert get(around.target.peer, other).startswith("target")
        assert second.line() == "got GET / HTTP/1.1"
    assert answered_by_target(around.target, port)
    around.target.unlisten(other)


def test_stolen_by_a_shell(runner: Runner, around: Around, port: int, require: Callable[[str], str]) -> None:
    """socat forks a child for each connection."""
    command = [
        "bash",
        "-c",
        f"exec 3<&0; {require('socat')} TCP-LISTEN:{port},fork,reuseaddr EXEC:'echo from a shell' 2>&1 & echo started; cat <&3; kill $!",
    ]
    with serving(runner, around.target, *command) as program:
        program.line()
        wait_until(lambda: "mirrord" in around.target.rules())
        with around.target.peer.connect((TARGET, port)) as sock:
            assert read_all(sock) == b"from a shell\n"
    assert answered_by_target(around.target, port)


def test_program_that_talks_to_its_own_port(runner: Runner, around: Around, port: int) -> None:
    """On loopback it reaches itself, as it would in the target."""
    program = (
        "import socket, threading, sys\n"
        "port = int(sys.argv[1]); server = socket.create_server(('0.0.0.0', port))\n"
        "client = socket.create_connection(('127.0.0.1', port)); other, peer = server.accept()\n"
        "other.sendall(b'self'); print(client.recv(10), peer == client.getsockname())"
    )
    done = runner.exec(around.target, PYTHON, "-c", program, str(port), options=["-q", "--steal"])

    assert (done.stdout, done.stderr) == ("b'self' True\n", "")
    assert answered_by_target(around.target, port)


def test_nothing_runs_after_the_program(runner: Runner, around: Around, port: int) -> None:
    with serving(runner, around.target, *SERVE, "http", "0.0.0.0", str(port)) as program:
        program.line()
        sock = around.target.peer.connect((TARGET, port))
        assert request(sock).startswith("program")
        program.end()
        with sock, pytest.raises((ConnectionError, BrokenPipeError)):
            request(sock)
    assert answered_by_target(around.target, port)

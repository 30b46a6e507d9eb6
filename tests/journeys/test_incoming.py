"""A stolen port: connections to the target are the program's own, in each way of serving. The target serves after.

Rules and sessions are in test_incoming_rules.py, copies in test_mirrored.py.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.around import Around
from tests.kit.network import PEER, PEER6, TARGET, TARGET6
from tests.kit.run import PYTHON, Runner
from tests.kit.serving import answered_by_target, configured, free_port, get, read_all, request, serving, wait_until

pytestmark = pytest.mark.journey
PROGRAMS = Path(__file__).parent / "programs"
SERVE = [PYTHON, str(PROGRAMS / "serve.py")]
SEVERAL = [PYTHON, str(PROGRAMS / "several.py"), "2"]


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_stolen(runner: Runner, around: Around, port: int, host: str) -> None:
    """accept and getsockname say who asked, and where, as if the program were in the target."""
    target = around.target
    with serving(runner, target, *SERVE, "http", host, str(port)) as program:
        assert program.line() == f"listening {host}:{port}"
        with target.peer.connect((TARGET, port)) as sock:
            ours = sock.getsockname()
            for _ in range(3):
                assert request(sock) == f"program, to {ours[0]}:{ours[1]}, at {TARGET}:{port}\n"
        with target.inside.connect(("127.0.0.1", port)) as sock:
            assert request(sock) == f"program, to 127.0.0.1:{sock.getsockname()[1]}, at 127.0.0.1:{port}\n"
    assert answered_by_target(target, port)


def test_dual_stack(runner: Runner, around: Around, port: int) -> None:
    target = around.target
    with serving(runner, target, *SERVE, "http", "::", str(port)) as program:
        assert program.line() == f"listening :::{port}"
        for host, peer, at in ((TARGET, f"::ffff:{PEER}", f"::ffff:{TARGET}"), (TARGET6, PEER6, TARGET6)):
            with target.peer.connect((host, port)) as sock:
                assert request(sock) == f"program, to {peer}:{sock.getsockname()[1]}, at {at}:{port}\n"
    assert answered_by_target(target, port)


@pytest.mark.parametrize("host", ["::", "::1"])
def test_only_ipv6(runner: Runner, around: Around, port: int, host: str) -> None:
    target = around.target
    with serving(runner, target, *SERVE, "http", host, str(port), "v6only") as program:
        assert program.line() == f"listening {host}:{port}"
        with target.peer.connect((TARGET6, port)) as sock:
            assert request(sock) == f"program, to {PEER6}:{sock.getsockname()[1]}, at {TARGET6}:{port}\n"
        with target.inside.connect(("::1", port)) as sock:
            assert request(sock) == f"program, to ::1:{sock.getsockname()[1]}, at ::1:{port}\n"
    assert answered_by_target(target, port)


def test_port_of_the_kernels_choice(runner: Runner, around: Around) -> None:
    with serving(runner, around.target, *SERVE, "http", "0.0.0.0", "0") as program:
        port = int(program.line().rpartition(":")[2])
        assert port > 0
        assert get(around.target.peer, port).startswith("program")
    wait_until(lambda: get(around.target.peer, port) == "ConnectionRefusedError")


def test_port_that_this_machine_has_taken(runner: Runner, around: Around, port: int) -> None:
    """The program listens on another one and doesn't notice; the person is told which."""
    with (
        socket.create_server(("0.0.0.0", port)),
        serving(runner, around.target, *SERVE, "http", "0.0.0.0", str(port), quiet=False) as program,
    ):
        assert program.line() == f"listening 0.0.0.0:{port}"
        assert get(around.target.peer, port).startswith("program")
        code, error = program.end()
    assert code == 0
    assert f"port {port} is port " in error
    assert answered_by_target(around.target, port)


def test_port_taken_by_the_program_itself(runner: Runner, around: Around, port: int) -> None:
    """Two programs of one session: the second gets EADDRINUSE, as it would in the target."""
    command = [*SEVERAL, *SERVE, "http", "127.0.0.1", str(port)]
    with serving(runner, around.target, *command, quiet=False) as program:
        assert program.line() == f"listening 127.0.0.1:{port}"
        assert program.line() == "failed OSError 98"
        assert program.end() == (3, "")


def test_close_and_open_again(runner: Runner, around: Around, port: int) -> None:
    target = around.target
    with serving(runner, target, *SERVE, "http", "0.0.0.0", str(port)) as program:
        for _ in range(3):
            assert program.line().startswith("listening")
            assert get(target.peer, port).startswith("program")
            program.tell("close")
            assert program.line() == "closed"
            # The kernel tells nobody that a listener is gone: whoever comes first may find it out.
            wait_until(lambda: get(target.peer, port).startswith("target"))
            program.tell("listen")
        program.line()
        assert get(target.peer, port).startswith("program")
    assert answered_by_target(target, port)


def test_open_connections_outlive_their_listener(runner: Runner, around: Around, port: int) -> None:
    target = around.target
    with serving(runner, target, *SERVE, "http", "0.0.0.0", str(port)) as program:
        program.line()
        with target.peer.connect((TARGET, port)) as sock:
            assert request(sock).startswith("program")
            program.tell("close")
            program.line()
            wait_until(lambda: get(target.peer, port).startswith("target"))
            assert request(sock).startswith("program")
    assert answered_by_target(target, port)


def test_reuseport(runner: Runner, around: Around, port: int) -> None:
    """Two programs of one session share a port."""
    with serving(runner, around.target, *SEVERAL, *SERVE, "http", "127.0.0.1", str(port), "reuseport") as program:
        assert [program.line() for _ in range(2)] == [f"listening 127.0.0.1:{port}"] * 2
        assert all(get(around.target.peer, port).startswith("program") for _ in range(20))
    assert answered_by_target(around.target, port)


@pytest.mark.parametrize("kind", ["fork", "c", "gunicorn", "cluster"])
def test_children_that_accept(
    runner: Runner, around: Around, port: int, kind: str, compile_c: Callable[..., str], require: Callable[[str], str]
) -> None:
    """Who listens isn't who accepts."""
    gunicorn = [
        PYTHON, "-c", f"import sys; sys.path[:0] = {site_packages()!r}; from gunicorn.app.wsgiapp import run; run()",
        "-b", f"0.0.0.0:{port}", "-w", "2", "--chdir", str(PROGRAMS), "wsgi:application", "--no-control-socket",
    ]  # fmt: skip
    command = {
        "fork": lambda: [*SERVE, "http", "0.0.0.0", str(port), "fork"],
        "c": lambda: [compile_c("prefork.c"), str(port)],
        "gunicorn": lambda: [PYTHON, str(PROGRAMS / "until_end.py"), *gunicorn],
        "cluster": lambda: [require("node"), runner.copy(PROGRAMS / "serve.js"), str(port), "cluster"],
    }[kind]()
    with serving(runner, around.target, *command, quiet=kind != "gunicorn") as program:
        assert program.line().startswith("listening")
        answers = {get(around.target.peer, port).split(",")[1] for _ in range(20)}
    assert {answer.replace("::ffff:", "").partition(":")[0].split()[1] for answer in answers} == {PEER}
    assert answered_by_target(around.target, port)


def site_packages() -> list[str]:
    """Where gunicorn is: the interpreter that programs run on has nothing installed."""
    found = importlib.util.find_spec("gunicorn")
    assert found and found.origin
    return [str(Path(found.origin).parent.parent)]


def test_node(runner: Runner, around: Around, port: int, require: Callable[[str], str]) -> None:
    with serving(runner, around.target, require("node"), runner.copy(PROGRAMS / "serve.js"), str(port)) as program:
        assert program.line() == "listening"
        said = get(around.target.peer, port, path="/orders?x=1")
    assert said == f"program, to ::ffff:{PEER}, at ::ffff:{TARGET} {port} /orders?x=1\n"
    assert answered_by_target(around.target, port)


def test_java(runner: Runner, around: Around, port: int, require: Callable[[str], str]) -> None:
    subprocess.run([require("javac"), "-d", str(runner.folder), str(PROGRAMS / "Serve.java")], check=True)
    second = free_port()
    command = [require("java"), "-Xshare:auto", "-cp", str(runner.folder), "Serve", str(port), str(second)]
    with serving(runner, around.target, *command) as program:
        assert program.line() == "listening"
        for each in (port, second):
            assert get(around.target.peer, each) == f"program, to {PEER}, at {TARGET} {each}\n"
            assert get(around.target.peer, each, TARGET6).startswith("program, to fd00:77:0:0:0:0:0:1, at")
    assert answered_by_target(around.target, port)


def test_asyncio(runner: Runner, around: Around, port: int) -> None:
    with serving(runner, around.target, PYTHON, str(PROGRAMS / "serve_asyncio.py"), str(port)) as program:
        assert program.line() == "listening"
        with around.target.peer.connect((TARGET, port)) as sock:
            assert request(sock) == f"program, to {sock.getsockname()[0]}:{sock.getsockname()[1]}\n"
    assert answered_by_target(around.target, port)


def test_server_that_speaks_first(runner: Runner, around: Around) -> None:
    """Nothing waits for the client's first byte; the target's own server of that port speaks first too."""
    target = around.target
    with serving(
        runner, target, *SERVE, "banner", "0.0.0.0", "2525", options=configured(runner, port_mapping=[[2525, 25]])
    ) as program:
        assert program.line() == "listening 0.0.0.0:2525"
        with target.peer.connect((TARGET, 25)) as sock:
            assert sock.recv(100) == b"220 program ready\r\n"
            sock.sendall(b"HELO")
            assert read_all(sock) == b"program heard HELO"
    wait_until(lambda: target.rules() == "")
    with target.peer.connect((TARGET, 25)) as sock:
        assert sock.recv(100) == b"220 target ready\r\n"


def test_much_data_both_ways(runner: Runner, around: Around, port: int) -> None:
    data = os.urandom(12_000_000)
    with serving(runner, around.target, *SERVE, "echo", "0.0.0.0", str(port)) as program:
        program.line()
        with around.target.peer.connect((TARGET, port), timeout=60) as sock:

            def send() -> None:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            got = read_all(sock)
            sender.join()
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()


def test_half_close(runner: Runner, around: Around, port: int) -> None:
    with serving(runner, around.target, *SERVE, "total", "0.0.0.0", str(port)) as program:
        program.line()
        with around.target.peer.connect((TARGET, port)) as sock:
            sock.sendall(b"x" * 100_000)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == b"100000 bytes"


def test_reset_by_the_program(runner: Runner, around: Around, port: int) -> None:
    with serving(runner, around.target, *SERVE, "reset", "0.0.0.0", str(port)) as program:
        program.line()
        with around.target.peer.connect((TARGET, port)) as sock:
            sock.sendall(b"hello")
            with pytest.raises(ConnectionResetError):
                sock.recv(100)


def test_reset_by_the_client(runner: Runner, around: Around, port: int) -> None:
    with serving(runner, around.target, *SERVE, "copy", "0.0.0.0", str(port)) as program:
        program.line()
        with around.target.peer.connect((TARGET, port)) as sock:
            sock.sendall(b"hello")
            assert program.line() == "got hello"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert program.line() == "error ConnectionResetError"


def test_one_that_reads_nothing_holds_nobody_up(runner: Runner, around: Around, port: int) -> None:
    target = around.target
    with serving(runner, target, *SERVE, "silent", "0.0.0.0", str(port)) as program:
        program.line()
        with target.peer.connect((TARGET, port)) as slow:
            assert program.line() == f"accepted {slow.getsockname()[0]}:{slow.getsockname()[1]}"
            slow.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    slow.send(b"x" * 65536)
            with target.peer.connect((TARGET, port)):
                assert program.line().startswith("accepted")

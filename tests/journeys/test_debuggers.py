"""A debugger waits on this machine's loopback for the program, or for its child, and is found there."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from tests.kit.around import Around
from tests.kit.run import PYTHON, Runner
from tests.kit.serving import answered_by_target

pytestmark = pytest.mark.journey
CALL = (
    "import socket, sys\n"
    "try:\n"
    "    with socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10) as sock: print(sock.recv(9).decode())\n"
    "except OSError as error: print(type(error).__name__)"
)


@contextmanager
def waiting() -> Iterator[int]:
    """The port of a debugger that says hello."""

    def serve() -> None:
        while True:
            try:
                other = server.accept()[0]
            except OSError:
                return
            with other:
                other.sendall(b"debugger")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_loopback_is_the_targets_but_for_debuggers(runner: Runner, around: Around) -> None:
    with waiting() as port:
        plain = runner.exec(around.target, PYTHON, "-c", CALL, str(port))
        named = runner.exec(
            around.target, PYTHON, "-c", CALL, str(port), env={"MIRRORD_IGNORE_DEBUGGER_PORTS": f"1,{port}"}
        )
        found = runner.exec(around.target, PYTHON, "-c", CALL, str(port), f"--frontend-port={port}")

    assert (plain.stdout, named.stdout, found.stdout) == ("ConnectionRefusedError\n", "debugger\n", "debugger\n")


def test_a_child_that_was_started_with_a_debugger(runner: Runner, around: Around) -> None:
    with waiting() as port:
        program = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1].split('|')])"
        done = runner.exec(around.target, PYTHON, "-c", program, f"{CALL}|{port}|--frontend-port={port}")

    assert (done.stderr, done.stdout) == ("", "debugger\n")


def test_debugpy_as_an_editor_starts_it(runner: Runner, around: Around, tmp_path: Path) -> None:
    """What stands for debugpy's launcher is given the port alone, and starts the program as the real one does."""
    launcher = tmp_path / "debugpy" / "launcher"
    launcher.mkdir(parents=True)
    (launcher / "__main__.py").write_text(CALL)
    with waiting() as port:
        done = runner.exec(around.target, PYTHON, str(launcher), str(port), "--", "app.py")

    assert (done.stderr, done.stdout) == ("", "debugger\n")


def test_nodes_inspector_is_not_stolen(
    runner: Runner, around: Around, port: int, require: Callable[[str], str]
) -> None:  # fmt: skip
    """It listens on this machine as ever, and the target's port of that number serves on."""
    program = "console.log('ready'); process.stdin.on('end', () => process.exit()).resume()"
    command = [require("node"), f"--inspect=127.0.0.1:{port}", "-e", program]
    process = runner.start(
        runner.arguments(around.target, command, ["-q", "--steal"]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout and process.stdin
        assert process.stdout.readline() == b"ready\n"
        with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/json/version")
            assert b"node.js" in connection.getresponse().read()
        assert answered_by_target(around.target, port)
        process.stdin.close()
        assert process.wait(30) == 0


def test_the_start_says_so(runner: Runner, around: Around) -> None:
    done = runner.exec(around.target, PYTHON, "-c", "", "--frontend-port=4321", options=())

    assert "  debugger     port 4321 of loopback stays this machine's\n" in done.stderr

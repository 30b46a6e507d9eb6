"""The network's part as an ordinary user: all of it on a target in one's own namespaces, and all but incoming elsewhere."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys.conftest import NOBODY, Ordinary
from tests.kit.around import Around, start_around
from tests.kit.network import PEER, TARGET
from tests.kit.run import PYTHON, Runner
from tests.kit.serving import GRACE, answered_by_target, free_port, request, serving, wait_until
from tests.kit.target import TargetUnavailable

pytestmark = pytest.mark.journey
PROGRAMS = Path(__file__).parent / "programs"
REMOTE = Path(__file__).parent.parent / "kit" / "remote.py"


@pytest.fixture
def theirs(ordinary: Ordinary) -> Iterator[Around]:
    """A target with a network that an ordinary user has made."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        os.chown(root, NOBODY, NOBODY)
        Path(folder).chmod(0o755)
        try:
            with start_around(root=root, become=ordinary.become) as around:
                yield around
        except TargetUnavailable as error:
            pytest.skip(f"ordinary users get no namespaces on this machine: {error}")


@pytest.fixture
def their_runner(runner: Runner, ordinary: Ordinary) -> Runner:
    """Runs mirrord as that user, from their home."""
    home = ordinary.home / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    return Runner(ordinary.home, (*ordinary.become, *runner.command), runner.mark)


@contextmanager
def plain_target(ordinary: Ordinary) -> Iterator[str]:
    """A target of the user's own without namespaces, over whose network they have no rights."""
    command = [*ordinary.become, PYTHON, "-I", "-S", "-B", str(REMOTE), "plain"]
    with subprocess.Popen(command, env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield f"process/{int(process.stdout.readline())}"
        process.communicate()


def test_names_and_connections(their_runner: Runner, theirs: Around, ordinary: Ordinary) -> None:
    command = [PYTHON, str(PROGRAMS / "outgoing.py")]
    truth = their_runner.run([*ordinary.become, *theirs.target.command(*command, names=True)])
    assert (truth.stderr, truth.returncode) == ("", 0)

    seen = their_runner.exec(theirs.target, *command)

    assert (seen.stderr, seen.returncode) == ("", 0)
    assert seen.stdout.splitlines() == truth.stdout.splitlines()


@pytest.mark.parametrize("low", [False, True])
def test_stolen(their_runner: Runner, theirs: Around, low: bool) -> None:
    """Also a port that only root may listen on here: the program listens on another one, and isn't told."""
    port = 80 if low else free_port()
    if not low:
        theirs.target.listen(port)
    serve = [PYTHON, str(PROGRAMS / "serve.py"), "http", "0.0.0.0", str(port)]
    with serving(their_runner, theirs.target, *serve, quiet=False) as program:
        assert program.line() == f"listening 0.0.0.0:{port}"
        with theirs.target.peer.connect((TARGET, port)) as sock:
            assert request(sock) == f"program, to {PEER}:{sock.getsockname()[1]}, at {TARGET}:{port}\n"
        code, error = program.end()
    assert code == 0
    assert (f"port {port} is port " in error) == low, error
    assert answered_by_target(theirs.target, port)


def test_mirrored(their_runner: Runner, theirs: Around) -> None:
    port = free_port()
    theirs.target.listen(port)
    serve = [PYTHON, str(PROGRAMS / "serve.py"), "copy", "0.0.0.0", str(port)]
    with serving(their_runner, theirs.target, *serve, options=["-q"]) as program:
        program.line()
        with theirs.target.peer.connect((TARGET, port)) as sock:
            assert request(sock).startswith("target")
        assert program.line() == "got GET / HTTP/1.1"
    wait_until(lambda: theirs.target.rules() == "", GRACE)


def test_steal_without_rights_is_refused(their_runner: Runner, ordinary: Ordinary) -> None:
    with plain_target(ordinary) as target:
        done = their_runner.exec(target, "echo", "ran", options=["-q", "--steal"])

    assert (done.stdout, done.returncode != 0) == ("", True)
    assert "can't be redirected" in done.stderr, done.stderr


def test_the_rest_without_rights(their_runner: Runner, ordinary: Ordinary) -> None:
    """Where nobody asked for incoming connections, the start warns, and all else works."""
    program = (
        "import socket, sys\n"
        "server = socket.create_server(('127.0.0.1', 0)); print(socket.getaddrinfo('127.0.0.1', 80)[0][4])\n"
        "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as sock: print(sock.recv(100))"
    )
    with socket.create_server(("127.0.0.1", 0)) as here, plain_target(ordinary) as target:
        arguments = their_runner.arguments(target, [PYTHON, "-c", program, str(here.getsockname()[1])])
        with their_runner.start(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            here.settimeout(30)
            connection, _ = here.accept()
            with connection:
                connection.sendall(b"from the target's side")
            out, error = running.communicate(timeout=30)

    assert out == b"('127.0.0.1', 80)\nb\"from the target's side\"\n"
    assert running.returncode == 0
    assert b"can't be redirected" in error, error

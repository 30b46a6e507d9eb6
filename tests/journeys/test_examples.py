"""The protocol package's examples, run as a tool's author would, against real agents."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.conftest import LARGE
from tests.kit.around import Around
from tests.kit.network import TARGET
from tests.kit.serving import request
from tests.kit.target import Target

pytestmark = pytest.mark.journey
EXAMPLES = Path(__file__).parents[2] / "packages" / "protocol" / "examples"
CAT, REQUESTS = ([sys.executable, str(EXAMPLES / name)] for name in ("cat.py", "requests.py"))


def run(*command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(("command", "word"), [(CAT, "PATH"), (REQUESTS, "PORT")])
def test_help(command: list[str], word: str) -> None:
    done = run(*command, "--help")

    assert (done.returncode, done.stderr) == (0, b"")
    assert word in done.stdout.decode()
    assert run(*command, "not-a-number").returncode == 2


def test_cat(target: Target) -> None:
    done = run(*CAT, str(target.pid), "/srv/shop/config.json", "/srv/shop/empty", "/srv/shop/large.bin")

    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout[: -len(LARGE)]) == {"greeting": "Good morning"}
    assert done.stdout.endswith(LARGE)


def test_cat_of_what_cannot_be_read(target: Target) -> None:
    done = run(*CAT, str(target.pid), "/nope", "/srv/shop", "/srv/shop/lines.txt")

    assert done.returncode == 1
    assert done.stdout.startswith(b"line 0\n")
    assert done.stderr.decode().splitlines() == [
        "cat.py: /nope: No such file or directory",
        "cat.py: /srv/shop: Is a directory",
    ]


def test_no_such_process() -> None:
    for done in (run(*CAT, "99999999", "/"), run(*REQUESTS, "99999999", "80")):
        assert done.returncode == 1
        assert "process 99999999" in done.stderr.decode()
        assert done.stderr.count(b"\n") == 1


def test_requests(around: Around, port: int) -> None:
    """Requests are logged while the target answers them; an interrupt ends it."""
    target = around.target
    with subprocess.Popen(
        [*REQUESTS, str(target.pid), str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == f"logging requests to port {port}\n"
        with target.peer.connect((TARGET, port)) as sock:
            peer = "{}:{}".format(*sock.getsockname()[:2])
            assert process.stdout.readline() == f"{peer} connected\n"
            for path in ("/first", "/second"):
                assert request(sock, path).startswith("target")
                assert process.stdout.readline() == f"{peer} GET {path} HTTP/1.1\n"
        assert process.stdout.readline().startswith(f"{peer} ended after ")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr
        assert process.stderr.read() == ""


def test_requests_of_a_port_that_somebody_has(around: Around, port: int) -> None:
    with subprocess.Popen(
        [*REQUESTS, str(around.target.pid), str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == f"logging requests to port {port}\n"
        done = run(*REQUESTS, str(around.target.pid), str(port))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert done.returncode == 1
    assert f"port {port}" in done.stderr.decode()

"""Real programs that connect, send datagrams and listen under the layer, seen from outside.

Each talks to the target's servers and has a client there, and tells what it sees. No call with an address of the target
may reach the kernel.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layer_network import Network, address
from layer_programs import need
from layer_session import Session
from layer_table import HOSTNAME_LOCAL, NAMES_LOCAL
from tests.coverage.trace import addresses

pytestmark = [pytest.mark.programs, pytest.mark.slow]
PROGRAMS = Path(__file__).parent / "programs"
TARGET, ECHO, REFUSED = "10.99.0.1", 7, 9
CLIENT = ("10.98.0.5", 5555)

Talk = Callable[..., list[str]]


def web(end: socket.socket) -> None:
    """Answer one request as an HTTP server."""
    with end:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += end.recv(4096)
        end.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n")


@pytest.fixture
def network(session: Session) -> Iterator[Network]:
    """A target with servers that echo, one that refuses, and one of HTTP."""
    made = Network(session.remote, session.table)
    session.table.set_network(NAMES_LOCAL | HOSTNAME_LOCAL)
    made.add(TARGET, ECHO)
    made.add(TARGET, REFUSED, failure="ECONNREFUSED")
    made.add(TARGET, 80).serve = web
    made.datagram_servers = {address(TARGET, ECHO)}
    yield made
    session.die()
    made.close()


@pytest.fixture
def talk(session: Session, network: Network, tmp_path: Path) -> Talk:
    """Run a command with the target's address and ports as its last arguments; return what it printed."""
    need("strace")

    def run(*command: str) -> list[str]:
        traced = ["strace", "-ff", "-e", "trace=%network", "-e", "signal=none", "-o", str(tmp_path / "of"), "--"]
        arguments = [*command, TARGET, str(ECHO), str(REFUSED)]
        lines = []
        with session.start(*traced, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
            assert program.stdout
            assert program.stderr
            for line in program.stdout:
                lines.append(line.decode().rstrip())
                if found := re.match(r"listening (\d+)$", lines[-1]):
                    with network.arrive(int(found[1]), address(*CLIENT), at=address("10.99.0.7", 80)) as client:
                        client.sendall(b"hello")
                        assert client.recv(5, socket.MSG_WAITALL) == b"hello"
                    lines.pop()
            assert program.wait(60) == 0, program.stderr.read().decode()
        past = [made for file in tmp_path.glob("of.*") for made in addresses(file.read_text("latin-1").splitlines())]
        assert past  # of loopback
        assert [made for made in past if made.startswith(("10.99.", "10.98."))] == []
        return lines

    return run


def test_python(talk: Talk) -> None:
    assert talk(sys.executable, "-B", str(PROGRAMS / "talk.py")) == [
        *[f"socket hello {TARGET} {ECHO}", "socket ECONNREFUSED"] * 2,
        f"datagram hello {TARGET} {ECHO}",
        f"asyncio hello {TARGET} {ECHO}",
        "asyncio ECONNREFUSED",
        "client {} {}".format(*CLIENT),
    ]


def test_node(talk: Talk) -> None:
    need("node")

    assert talk("node", str(PROGRAMS / "talk.js")) == [
        f"net hello {TARGET} {ECHO}",
        "net ECONNREFUSED",
        f"datagram hello {TARGET} {ECHO}",
        "client {} {}".format(*CLIENT),
    ]


def test_java(talk: Talk, tmp_path: Path) -> None:
    need("javac")
    subprocess.run(["javac", "-d", str(tmp_path), str(PROGRAMS / "Talk.java")], check=True)

    assert talk("java", "-XX:-UsePerfData", "-Xshare:auto", "-cp", str(tmp_path), "Talk") == [
        *[f"socket hello {TARGET} {ECHO}", "socket Connection refused"] * 2,
        f"datagram hello {TARGET} {ECHO}",
        f"nio hello {TARGET} {ECHO}",
        "nio Connection refused",
        "client {} {}".format(*CLIENT),
    ]


def test_curl(session: Session, network: Network) -> None:
    need("curl")
    for option in ("--no-tcp-fastopen", "--tcp-fastopen"):
        done = session.run("curl", "-sS", option, f"http://{TARGET}/", "-w", "%{remote_ip} %{remote_port}")

        assert done.stdout == f"hello\n{TARGET} 80".encode()
    done = session.run("curl", "-sS", f"http://{TARGET}:{REFUSED}/", check=False)

    assert done.returncode == 7

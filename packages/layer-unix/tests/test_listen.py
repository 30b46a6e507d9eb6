"""Listeners of programs: told to the session, found by the target's clients, at another port if theirs is taken."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable

import pytest

from layer_network import Network, address
from layer_programs import Programs, need, sanitize
from layer_session import Session
from layer_table import ALL_LOCAL, BINDS_ASK, HOSTNAME_LOCAL, NAMES_LOCAL
from mirrord_protocol.layer_values import LayerSocket

pytestmark = pytest.mark.programs

NOT_LOCAL = NAMES_LOCAL | HOSTNAME_LOCAL
AT = ("10.99.0.7", 80)
CLIENTS = {"127.0.0.1": "10.98.0.5", "::1": "2001:db8::5", "::ffff:127.0.0.1": "::ffff:10.98.0.5"}


@pytest.fixture(params=["zig", "musl-gcc", "sanitized"])
def program(request: pytest.FixtureRequest, session: Session, compile_program: Programs) -> str:
    """The program, of each libc, and under a layer with sanitizers."""
    compiler = "zig" if request.param == "sanitized" else request.param
    if request.param == "sanitized":
        sanitize(session)
    if compiler == "musl-gcc":
        need(compiler)
    return compile_program("listening", compiler=compiler, output=f"listening-{compiler}")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
@pytest.mark.parametrize("flags", [ALL_LOCAL, NOT_LOCAL])
def test_connections_within_this_machine(
    session: Session, network: Network, program: str, host: str, flags: int
) -> None:
    session.table.set_network(flags)
    subprocess.run([program, "plain", host, "0"], check=True, timeout=60)
    session.run(program, "plain", host, "0")

    # The listener and the one that listen() itself bound; nothing is asked of connections within this machine, but of
    # a bind that fails.
    assert {name for name, _ in network.flags} == (set() if flags == ALL_LOCAL else {"LISTEN", "BIND", "DESCRIBE"})
    assert len(network.listened) == (0 if flags == ALL_LOCAL else 3)


@pytest.fixture
def serve(session: Session, network: Network, program: str) -> Callable[..., None]:
    """Run a case that listens, and let clients come to the target."""

    def run(case: str, host: str, count: int) -> None:
        mapped = "::ffff:" if "." in CLIENTS[host] and ":" in host else ""
        client = CLIENTS[host].removeprefix("::ffff:")
        at = AT[0] if "." in client else "2001:db8::7"
        arguments = [host, "0", CLIENTS[host], "5555", mapped + at, str(AT[1])]
        with session.start(program, case, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
            assert started.stdout
            port = int(started.stdout.readline())
            for _ in range(count):
                come = network.arrive(
                    port, address(client, 5555), at=address(at, AT[1]), host=host.removeprefix("::ffff:")
                )
                with come:
                    come.sendall(b"hi")
                    assert come.recv(2, socket.MSG_WAITALL) == b"hi"
            assert started.stderr
            assert (started.wait(60), started.stderr.read()) == (0, b"")
        assert [listened.port for listened in network.listened][:1] == [port]

    return run


@pytest.mark.parametrize("host", list(CLIENTS))
def test_clients_of_the_target(serve: Callable[..., None], host: str) -> None:
    serve("served", host, 5)


def test_clients_of_children(serve: Callable[..., None]) -> None:
    serve("inherited", "127.0.0.1", 2)


@pytest.mark.parametrize("flags", [NOT_LOCAL, NOT_LOCAL | BINDS_ASK])
def test_port_that_is_taken(session: Session, network: Network, program: str, flags: int) -> None:
    session.table.set_network(flags)
    network.text = b"port is taken\n"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        network.binds[port] = address("127.0.0.1")
        done = session.run(program, "moved", "127.0.0.1", str(port))

    assert done.stderr == b"port is taken\n" * 2  # of bind and of listen
    assert [listened.port for listened in network.listened] != [port]


def test_port_that_the_user_moved(session: Session, network: Network, program: str) -> None:
    session.table.set_network(NOT_LOCAL | BINDS_ASK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    network.binds[port] = address("127.0.0.1")
    session.run(program, "moved", "127.0.0.1", str(port))

    assert [listened.port for listened in network.listened] != [port]


def test_what_can_not_be_bound(session: Session, network: Network, program: str) -> None:
    network.binds = {81: "EACCES", 82: address("0.0.0.0")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    network.listen_failure[port] = "EADDRINUSE"
    network.text = b"another session has the port\n"
    done = session.run(
        program, "refused", "127.0.0.1", str(port), "10.99.0.9", "80", "10.99.0.9", "81", "10.99.0.9", "82"
    )

    assert done.stderr.count(b"another session has the port\n") == 5
    assert [flags for name, flags in network.flags if name == "BIND"][1] == LayerSocket.DATAGRAM


def test_session_that_is_gone(session: Session, network: Network, program: str) -> None:
    """A listener that nobody would tell the target of must not look like one."""
    session.die()
    done = session.run(program, "plain", "127.0.0.1", "0", check=False)

    assert done.returncode == 1
    assert os.strerror(100).encode() in done.stderr  # ENETDOWN

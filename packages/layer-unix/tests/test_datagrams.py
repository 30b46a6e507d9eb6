"""Datagrams of programs: each reaches its destination on the target, and has the source that the target sees."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from layer_network import Network, address
from layer_programs import Programs, need, sanitize
from layer_session import Session
from layer_table import ALL_LOCAL, LOOPBACK_LOCAL, UDP_LOCAL

pytestmark = pytest.mark.programs

TARGETS = {"four": "10.99.0.1", "six": "2001:db8::1", "mapped": "::ffff:10.99.0.1"}
NATIVE = {"four": "127.0.0.1", "six": "::1", "mapped": "::ffff:127.0.0.1"}
CASES = ["each", "messages", "batches", "connected", "fortified", "threads"]


@pytest.fixture(scope="module")
def native_ports() -> Iterator[Callable[[str], list[str]]]:
    """Ports of two servers on this machine that echo, by family."""
    servers: dict[str, list[socket.socket]] = {}

    def serve(server: socket.socket) -> None:
        while True:
            data, source = server.recvfrom(1 << 16)
            if data == b"end":
                return
            server.sendto(data, source)

    for host in ("127.0.0.1", "::1"):
        for _ in range(2):
            server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((host, 0))
            servers.setdefault(host, []).append(server)
    threads = [threading.Thread(target=serve, args=(server,)) for both in servers.values() for server in both]
    for thread in threads:
        thread.start()
    yield lambda kind: [str(each.getsockname()[1]) for each in servers["::1" if kind == "six" else "127.0.0.1"]]
    for both in servers.values():
        for server in both:
            server.sendto(b"end", server.getsockname())
    for thread in threads:
        thread.join()
    for both in servers.values():
        for server in both:
            server.close()


Run = Callable[..., None]


@pytest.fixture
def echoes(network: Network) -> Network:
    """Two servers of the target that echo."""
    network.datagram_servers = {address(host, port) for host in ("10.99.0.1", "2001:db8::1") for port in (7, 8)}
    return network


@pytest.fixture
def datagrams(
    session: Session, echoes: Network, compile_program: Programs, native_ports: Callable[[str], list[str]]
) -> Run:
    """Run a case on the plain system with servers of this machine, then under the layer with those of the target."""

    def run(case: str, kind: str, compiler: str = "zig") -> None:
        program = compile_program("datagrams", "-ldl", compiler=compiler, output=f"datagrams-{compiler}")
        command = [program, case, NATIVE[kind], *native_ports(kind)]
        plain = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert plain.returncode == 0, f"a wrong test: {case} fails on the plain system\n{plain.stderr.decode()}"
        session.run(program, case, TARGETS[kind], "7", "8")

    return run


@pytest.mark.parametrize("kind", ["four", "six", "mapped"])
@pytest.mark.parametrize("case", CASES)
def test_what_a_program_sees(datagrams: Run, case: str, kind: str) -> None:
    datagrams(case, kind)


@pytest.mark.parametrize("case", CASES)
def test_what_a_program_of_musl_sees(datagrams: Run, case: str) -> None:
    need("musl-gcc")
    datagrams(case, "mapped", "musl-gcc")


@pytest.mark.parametrize("case", CASES)
def test_sanitized(datagrams: Run, session: Session, case: str) -> None:
    sanitize(session)
    datagrams(case, "four")


def test_a_destination_costs_one_question(session: Session, echoes: Network, compile_program: Programs) -> None:
    session.run(compile_program("datagrams", "-ldl"), "crowd", "10.99.0.1", "7", "8")

    assert [name for name, _ in session.asked] == ["SEND", "DESCRIBE"]


@pytest.mark.parametrize("flags", [ALL_LOCAL, UDP_LOCAL])
def test_no_question_if_all_is_local(
    session: Session,
    network: Network,
    compile_program: Programs,
    native_ports: Callable[[str], list[str]],
    flags: int,
) -> None:
    session.table.set_network(flags)
    session.run(compile_program("datagrams", "-ldl"), "each", "127.0.0.1", *native_ports("four"))

    assert session.asked == []


def test_destination_that_the_session_gave_up_is_asked_for_again(
    session: Session, echoes: Network, compile_program: Programs
) -> None:
    command = [compile_program("datagrams", "-ldl"), "forgotten", "10.99.0.1", "7", "8"]
    with session.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdin
        assert program.stdout
        assert os.read(program.stdout.fileno(), 1) == b"x"
        echoes.give_up_datagrams()
        program.stdin.write(b"go")
        program.stdin.close()
        assert program.wait(60) == 0

    assert [name for name, _ in session.asked] == ["SEND", "DESCRIBE"] * 2


HERE = """
import socket
server, client, connected, stream = (socket.socket(type=kind) for kind in [socket.SOCK_DGRAM] * 3 + [socket.SOCK_STREAM])
server.bind(("127.0.0.1", 0))
client.bind(("0.0.0.0", 0))
stream.bind(("127.0.0.1", 0))
connected.connect(server.getsockname())
with socket.socket(type=socket.SOCK_DGRAM) as far:
    far.connect(("10.99.0.1", 7))
for end in server, client, connected:
    print(end.getsockname()[1])
"""


def test_ports_that_others_here_may_send_to_are_told(session: Session, echoes: Network) -> None:
    ports = session.run(sys.executable, "-c", HERE).stdout.split()

    assert [each.port for each in echoes.datagram_ports] == [int(port) for port in ports]


@pytest.mark.parametrize("flags", [ALL_LOCAL, UDP_LOCAL, LOOPBACK_LOCAL])
def test_ports_are_not_told_if_none_of_them_matters(session: Session, network: Network, flags: int) -> None:
    session.table.set_network(flags)
    session.run(sys.executable, "-c", HERE.replace('"10.99.0.1"', '"127.0.0.1"'))

    assert network.datagram_ports == []

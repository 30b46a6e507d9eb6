"""Connects that are refused, answered here, or of other kinds: fast open, moved listeners, IPv6 alone, Unix streams."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from layer_network import Network, address, echo
from layer_programs import Programs, need
from layer_session import Session
from layer_table import ALL_LOCAL, IPV6_OFF, LOOPBACK_LOCAL, OWN_AT, TCP_LOCAL
from mirrord_protocol.layer_values import LayerSocket

pytestmark = pytest.mark.programs


@pytest.fixture
def here() -> Iterator[int]:
    """The port of a server on this machine that echoes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    end, _ = listener.accept()
                except OSError:
                    return
                echo(end)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_fast_open_is_not_supported(session: Session, network: Network, compile_program: Programs) -> None:
    session.run(compile_program("unusual"), "fast-open", "10.99.0.1", "7")

    assert [name for name, _ in network.flags] == ["CONNECT", "CONNECTING"]


@pytest.mark.parametrize("flags", [ALL_LOCAL, TCP_LOCAL, LOOPBACK_LOCAL])
def test_no_question_if_all_is_local(
    session: Session, network: Network, compile_program: Programs, here: int, flags: int
) -> None:
    session.table.set_network(flags)
    session.run(compile_program("unusual"), "here", "127.0.0.1", str(here))

    assert session.asked == []


def test_no_question_about_own_listeners(
    session: Session, network: Network, compile_program: Programs, here: int
) -> None:
    session.table.mark_port(OWN_AT, here)
    for host in ("127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "127.1.2.3"):
        if host != "127.1.2.3":  # nobody listens there
            session.run(compile_program("unusual"), "here", host, str(here))

    assert session.asked == []


def test_local_answers(session: Session, network: Network, compile_program: Programs, here: int) -> None:
    network.moves[address("127.0.0.1", 80)] = address("127.0.0.1", here)
    for port in (here, 80):
        session.run(compile_program("unusual"), "here", "127.0.0.1", str(port))

    assert [name for name, _ in session.asked] == ["CONNECT"] * 2
    assert network.flags == [("CONNECT", LayerSocket.NON_BLOCKING)] * 2


def test_target_without_ipv6(session: Session, network: Network, compile_program: Programs) -> None:
    session.table.set_network(IPV6_OFF)
    session.run(compile_program("unusual"), "no-ipv6", "10.99.0.1", "7")


def test_sockets_that_reach_ipv6_alone(session: Session, network: Network, compile_program: Programs) -> None:
    session.run(compile_program("unusual"), "six-only", "2001:db8::1", "7")

    wanted = LayerSocket.NON_BLOCKING | LayerSocket.IPV6 | LayerSocket.IPV6_ONLY
    assert [flags for name, flags in network.flags if name == "CONNECT"] == [wanted] * 2


@pytest.mark.parametrize("compiler", ["zig", "musl-gcc"])
def test_unix_streams(session: Session, network: Network, compile_program: Programs, compiler: str) -> None:
    need("musl-gcc" if compiler == "musl-gcc" else "env")
    network.unix_servers = {b"/run/there.sock": echo, b"\0there": echo}
    program = compile_program("unusual", compiler=compiler, output=f"unusual-{compiler}")
    session.run(program, "unix", "10.99.0.1", "7")

    asked = [payload for name, payload in session.asked if name == "CONNECT"]
    assert asked == [b"/run/there.sock", b"\0there", b"/run/nothing.sock"]

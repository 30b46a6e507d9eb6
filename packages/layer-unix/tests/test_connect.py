"""Connects of programs: what they see is what they would see on the target, however they wait and whatever they ask."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from layer_network import Network, echo
from layer_programs import Programs, need, sanitize
from layer_session import Session

pytestmark = pytest.mark.programs

TARGETS = {"four": "10.99.0.1", "six": "2001:db8::1", "mapped": "::ffff:10.99.0.1"}
NATIVE = {"four": "127.0.0.1", "six": "::1", "mapped": "::ffff:127.0.0.1"}
CASES = ["blocking", "by-number", "polled", "used", "selected", "edges", "arguments", "options", "threads", "processes"]


@pytest.fixture(scope="module")
def native_ports() -> Iterator[Callable[[str], tuple[int, int]]]:
    """Ports on this machine by family: of a server that echoes, and one where nobody listens."""
    found: dict[str, tuple[int, int]] = {}
    listeners = []
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        listener = socket.create_server((host, 0), family=family, backlog=64)
        closed = socket.socket(family)
        closed.bind((host, 0))  # bound, not listening: refused
        found[host] = listener.getsockname()[1], closed.getsockname()[1]
        listeners += [listener, closed]

        def serve(listener: socket.socket = listener) -> None:
            while True:
                try:
                    end, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(end,)).start()

        threading.Thread(target=serve).start()
    yield lambda kind: found["::1" if kind == "six" else "127.0.0.1"]
    for each in listeners:
        if each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


Run = Callable[..., None]


@pytest.fixture
def connects(
    session: Session,
    network: Network,
    compile_program: Programs,
    native_ports: Callable[[str], tuple[int, int]],
) -> Run:
    """Run a case on the plain system with servers of this machine, then under the layer with those of the target."""

    def run(case: str, kind: str, compiler: str = "zig") -> None:
        program = compile_program("connecting", "-ldl", compiler=compiler, output=f"connecting-{compiler}")
        ports = map(str, native_ports(kind))
        plain = subprocess.run(
            [program, case, NATIVE[kind], *ports, "native"], capture_output=True, timeout=60, check=False
        )
        assert plain.returncode == 0, f"a wrong test: {case} fails on the plain system\n{plain.stderr.decode()}"
        session.run(program, case, TARGETS[kind], "7", "9")

    return run


@pytest.mark.parametrize("kind", ["four", "six", "mapped"])
@pytest.mark.parametrize("case", CASES)
def test_what_a_program_sees(connects: Run, case: str, kind: str) -> None:
    connects(case, kind)


@pytest.mark.parametrize("case", CASES)
def test_what_a_program_of_musl_sees(connects: Run, case: str) -> None:
    need("musl-gcc")
    connects(case, "four", "musl-gcc")


@pytest.mark.parametrize("case", CASES)
def test_sanitized(connects: Run, session: Session, case: str) -> None:
    sanitize(session)
    connects(case, "mapped")

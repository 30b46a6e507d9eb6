"""Connects while the target hasn't decided, or says no late: waits, signals, time limits, a session that ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from layer_network import Network
from layer_programs import Programs, need, sanitize
from layer_session import Session

pytestmark = pytest.mark.programs

Run = Callable[..., None]


@pytest.fixture
def held(session: Session, network: Network, compile_program: Programs) -> Run:
    """Run a case; when it writes a byte, `decide` is called, by default to let the target's server answer."""

    def run(case: str, *, failure: str = "", compiler: str = "zig", decide: Callable[[], None] | None = None) -> None:
        server = network.add("10.99.0.1", 8, failure=failure, held=True)
        program = compile_program("held", compiler=compiler, output=f"held-{compiler}")
        command = [program, case, "10.99.0.1", "8"]
        with session.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
            assert started.stdout
            assert os.read(started.stdout.fileno(), 1) == b"x"
            (decide or server.released.set)()
            _, err = started.communicate(timeout=60)
        assert (started.returncode, err) == (0, b"")

    return run


@pytest.mark.parametrize("case", ["interrupted", "restarted", "limited", "started", "closed"])
def test_connect_that_waits(held: Run, case: str) -> None:
    held(case)


@pytest.mark.parametrize("case", ["interrupted", "limited"])
def test_connect_of_musl_that_waits(held: Run, case: str) -> None:
    need("musl-gcc")
    held(case, compiler="musl-gcc")


def test_connect_that_fails_late(held: Run) -> None:
    held("late", failure="ETIMEDOUT")


def test_sanitized(held: Run, session: Session) -> None:
    sanitize(session)
    held("late", failure="ETIMEDOUT")


def test_session_that_ends_while_a_connect_waits(held: Run, session: Session, network: Network) -> None:
    def end() -> None:
        network.connecting.wait()
        session.die()
        network.close()

    held("gone", decide=end)

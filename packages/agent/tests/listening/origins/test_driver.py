"""Who made a connection to the agent's port, as the kernel tells."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent_kit import needs_root
from mirrord_agent.listening.origins.driver import Address, Origins
from mirrord_agent.listening.origins.machine import GONE

STRANGER = 1234
CONNECTS = """
import os, socket, sys
host, port, user = sys.argv[1:]
if user:
    os.setuid(int(user))
connection = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
connection.connect((host, int(port)))
print(flush=True)
input()
"""
ELSEWHERE = """
import ctypes, os, socket, sys
from mirrord_agent.listening.origins.driver import Origins
libc = ctypes.CDLL(None)
os.setuid(200000)
assert libc.prctl(4, 1) == 0  # PR_SET_DUMPABLE: else /proc is root's
assert libc.unshare(0x10000000) == 0  # CLONE_NEWUSER
with open("/proc/self/uid_map", "w") as uid_map:
    uid_map.write("0 200000 1")
ours, its = ((host, int(port)) for host, port in (word.split("/") for word in sys.argv[1:]))
print(Origins(socket.AF_INET).stranger(ours, its))
"""
LOOPBACKS = pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"]
)


@contextmanager
def origins(family: int) -> Iterator[Origins]:
    found = Origins(family)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def connected(
    family: socket.AddressFamily, host: str, user: str = "", way: str = ""
) -> Iterator[tuple[Address, Address]]:
    """The two ends of a connection that another process made, ours first; perhaps by another address."""
    with socket.create_server((host, 0), family=family) as listener:
        port = str(listener.getsockname()[1])
        command = [sys.executable, "-IS", "-c", CONNECTS, way or host, port, user]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            assert process.stdout.readline()
            with listener.accept()[0] as end:
                yield end.getsockname()[:2], end.getpeername()[:2]
            process.stdin.write(b"\n")
            process.stdin.flush()


@LOOPBACKS
def test_our_own_user(family: socket.AddressFamily, host: str) -> None:
    with origins(family) as found, connected(family, host) as ends:
        assert found.stranger(*ends) is None


@needs_root
@pytest.mark.parametrize(
    ("family", "host", "way"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", "::ffff:127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
    ],
)
def test_another_user(family: socket.AddressFamily, host: str, way: str) -> None:
    """By a socket of IPv6 too, which the table of IPv4 doesn't have."""
    with origins(family) as found, connected(family, host, str(STRANGER), way) as ends:
        assert found.stranger(*ends) == STRANGER
        assert found.stranger(*ends) == STRANGER, "it can be asked again"


@needs_root
def test_when_we_are_somebody_else() -> None:
    """What counts is who opened it."""
    with origins(socket.AF_INET) as found, connected(socket.AF_INET, "127.0.0.1", str(STRANGER)) as ends:
        os.seteuid(STRANGER)
        try:
            assert found.stranger(*ends) == STRANGER
        finally:
            os.seteuid(0)


def test_who_has_gone() -> None:
    """The kernel doesn't tell any more who that was, and so it is nobody who may come."""
    with origins(socket.AF_INET) as found, socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as other:
            its = other.getsockname()
        with listener.accept()[0] as end:
            assert found.stranger(end.getsockname(), its) == GONE


def test_what_the_tables_do_not_have() -> None:
    """Neither its end nor ours."""
    with origins(socket.AF_INET) as found:
        assert found.stranger(("127.0.0.1", 1), ("127.0.0.1", 2)) is None


@needs_root
def test_among_many() -> None:
    """The table is longer than what is read at once, and its rows are cut anywhere."""
    with (
        origins(socket.AF_INET) as found,
        socket.create_server(("127.0.0.1", 0), backlog=600) as listener,
        connected(socket.AF_INET, "127.0.0.1", str(STRANGER)) as ends,
    ):
        others = [socket.create_connection(listener.getsockname()) for _ in range(500)]
        taken = [listener.accept()[0] for _ in others]
        assert len(b"\n".join(found._rows())) > 1 << 16
        assert found.stranger(*ends) == STRANGER
        for each in (*others, *taken):
            each.close()


@needs_root
def test_in_a_user_namespace() -> None:
    """The node's root has no number there, and comes as the one that all such have."""
    for user, said in (("", "None\n"), (str(STRANGER), "None\n"), ("200000", "None\n")):
        with connected(socket.AF_INET, "127.0.0.1", user) as ends:
            words = [f"{host}/{port}" for host, port in ends]
            done = subprocess.run([sys.executable, "-P", "-c", ELSEWHERE, *words], capture_output=True, text=True)
        assert (done.stdout, done.stderr) == (said, "")

"""getnameinfo: under the layer as libc's beside a DNS server with the same names."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from layer_dns import in_namespace
from layer_names import Names
from layer_programs import Programs, need
from layer_session import Session
from layer_table import ALL_LOCAL

pytestmark = pytest.mark.programs

EAI_AGAIN, EAI_SYSTEM = -3, -11
NI_NUMERICHOST, NI_NAMEREQD, NI_NOFQDN = 1, 8, 4


@pytest.fixture
def program(compile_program: Programs, compiler: str) -> str:
    """The program that prints names."""
    return compile_program("nameinfo", compiler=compiler, output=f"nameinfo-{compiler}")


def without_errno(output: bytes) -> list[bytes]:
    """The calls of the program; libc leaves in errno what it likes."""
    return [line.rpartition(b"|")[0] for line in output.splitlines()]


def test_as_libc(session: Session, names: Names, program: str, tmp_path: Path) -> None:
    need("unshare")
    asked = ["10.1.0.1", "10.1.0.4", "10.1.0.5", "10.9.9.9", "2001:db8::6", "2001:db8::7", "::ffff:10.1.0.1"]
    plain = subprocess.run(in_namespace(tmp_path, program, *asked), capture_output=True, check=True, timeout=60)
    under = session.run(program, *asked)

    assert without_errno(under.stdout) == without_errno(plain.stdout)
    assert b"10.1.0.1 1025 32 0: 0 web.test|exec" in without_errno(under.stdout)


def calls(output: bytes) -> dict[int, tuple[int, str, int]]:
    """By flags: code, host and errno of the calls with room enough."""
    found: dict[int, tuple[int, str, int]] = {}
    for line in output.decode().splitlines():
        wanted, _, got = line.partition(": ")
        _, host_size, service_size, flags = wanted.split(" ")
        code, _, rest = got.partition(" ")
        host, _, error = rest.split("|")
        if (host_size, service_size) == ("1025", "32"):
            found.setdefault(int(flags, 16), (int(code), host, int(error)))
    return found


@pytest.mark.parametrize(
    ("hostname", "shown"),
    [
        (b"here.test", "four"),
        (b"web", "four"),
        (b"target-7", "four"),
        (b"unknown", "four.test"),
        (b"r.test", "four"),
        (b"here.fourtest", "four.test"),
        (b"here.four.test", "four.test"),
    ],
)
def test_domain_of_the_target(
    session: Session, names: Names, program: str, compiler: str, hostname: bytes, shown: str
) -> None:
    """NI_NOFQDN leaves away the target's own domain, by its name or by what that stands for; musl doesn't."""
    names.hostname = hostname
    expected = shown if compiler == "zig" else "four.test"

    assert calls(session.run(program, "10.1.0.4").stdout)[NI_NOFQDN] == (0, expected, 0)


def test_bad_ends(session: Session, names: Names, program: str, compiler: str) -> None:
    names.failure = "ENETDOWN"
    ends = calls(session.run(program, "10.1.0.1").stdout)
    assert ends[0] == ((EAI_AGAIN, "", 77) if compiler == "zig" else (0, "10.1.0.1", 0))
    assert ends[NI_NUMERICHOST] == (0, "10.1.0.1", 0)

    names.failure = "EMFILE"
    assert calls(session.run(program, "10.1.0.1").stdout)[0] == (EAI_SYSTEM, "", errno.EMFILE)
    names.failure, names.damage = "", b"a\0\0b"
    assert calls(session.run(program, "10.1.0.1").stdout)[0] == (EAI_SYSTEM, "", errno.EIO)
    names.damage = b""
    assert calls(session.run(program, "10.1.0.1").stdout)[0] == (0, "10.1.0.1", 0)


def test_local(session: Session, names: Names, program: str) -> None:
    plain = subprocess.run([program, "127.0.0.1"], capture_output=True, check=True, timeout=60)
    names.local = {"127.0.0.1"}
    assert without_errno(session.run(program, "127.0.0.1").stdout) == without_errno(plain.stdout)
    assert session.remote.questions("REVERSE") != []

    session.table.set_network(ALL_LOCAL)
    session.remote.asked.clear()
    assert without_errno(session.run(program, "127.0.0.1").stdout) == without_errno(plain.stdout)
    assert session.remote.asked == []

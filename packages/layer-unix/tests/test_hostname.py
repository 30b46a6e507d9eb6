"""gethostname and uname: the target's name, asked for once by each image."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from layer_dns import in_namespace
from layer_names import HOSTNAME, Names
from layer_programs import Programs, need
from layer_session import Session
from layer_table import ALL_LOCAL, HOSTNAME_LOCAL

pytestmark = pytest.mark.programs


@pytest.fixture
def program(compile_program: Programs, compiler: str) -> str:
    """The program that prints the host's name."""
    return compile_program("hostname", compiler=compiler, output=f"hostname-{compiler}")


def test_as_libc(session: Session, names: Names, program: str, tmp_path: Path) -> None:
    need("unshare")
    plain = subprocess.run(in_namespace(tmp_path, program), capture_output=True, check=True, timeout=60)
    under = session.run(program)

    assert under.stdout == plain.stdout
    assert under.stdout.startswith(f"{HOSTNAME} {HOSTNAME} Linux {os.uname().release} ".encode())
    assert len(session.remote.questions("HOSTNAME")) == 2  # one for each image


def test_room_is_checked(session: Session, names: Names, compile_program: Programs) -> None:
    """The fortified call is the target's too, and ends a program that lies about its room."""
    need("gcc")
    program = compile_program("hostname_room", "-O2", "-D_FORTIFY_SOURCE=2", compiler="gcc", output="hostname_room-gcc")
    assert session.run(program, "64").stdout == HOSTNAME.encode() + b"\n"
    assert session.run(program, "65", check=False).returncode == -6


def test_longest_name(session: Session, names: Names, program: str) -> None:
    names.hostname = b"h" * 64
    assert session.run(program, "once").stdout.startswith(b"h" * 64 + b" " + b"h" * 64 + b" ")
    names.hostname = b"h" * 65
    assert b"gethostname" in session.run(program, "once", check=False).stderr


def test_local(session: Session, names: Names, program: str) -> None:
    plain = subprocess.run([program, "once"], capture_output=True, check=True, timeout=60)
    names.local = {"hostname"}
    assert session.run(program, "once").stdout == plain.stdout
    assert session.remote.questions("HOSTNAME") != []

    session.remote.asked.clear()
    session.table.set_network(ALL_LOCAL)
    assert session.run(program, "once").stdout == plain.stdout
    assert session.remote.asked == []

    names.local = set()
    session.table.set_network(ALL_LOCAL & ~HOSTNAME_LOCAL)  # names and the host's name are switched off apart
    assert session.run(program, "once").stdout.startswith(HOSTNAME.encode())


def test_bad_ends(session: Session, names: Names, program: str) -> None:
    names.damage = b"a\0b"
    assert f"(errno {errno.EIO}," in session.run(program, "once", check=False).stderr.decode()
    names.damage = None
    session.die()
    assert f"(errno {errno.EIO}," in session.run(program, "once", check=False).stderr.decode()

"""gethostbyname, gethostbyaddr and their kin: under the layer as libc's beside a DNS server with the same names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from layer_dns import in_namespace
from layer_names import FAILED, MANY, TRY_AGAIN, Name, Names
from layer_programs import Programs, need, sanitize
from layer_session import Session
from layer_table import ALL_LOCAL

pytestmark = pytest.mark.programs

NETDB_INTERNAL, TRY_AGAIN_, NO_RECOVERY = -1, 2, 3
EAGAIN, EIO, EMFILE, ERANGE = 11, 5, 24, 34


@pytest.fixture
def program(compile_program: Programs, compiler: str) -> str:
    """The program that prints entries."""
    return compile_program("hostent", compiler=compiler, output=f"hostent-{compiler}")


def entries(output: bytes, *, musl: bool) -> list[str]:
    """What was found; errno is libc's to leave."""
    lines = re.sub(r" errno \d+$", "", output.decode(), flags=re.MULTILINE).splitlines()
    if musl:  # which has the name among the aliases, and tells no bad end from another
        lines = [re.sub(r"\[.*\]", "[ ]", line) for line in lines]
        lines = [re.sub(r"^\d+ (.*) h_errno .*", r"\1", line) for line in lines]
        lines = [re.sub(r" h_errno .*", "", line) for line in lines]
    return lines


def test_as_libc(session: Session, names: Names, program: str, compiler: str, tmp_path: Path) -> None:
    need("unshare")
    asked = [program, "names", "web", "alias.test", "deep", "four.test", "six.test.", "1st.test", "none.test", "empty.test",
             "10.1.2.3", "10.1", "localhost"]  # fmt: skip
    plain = subprocess.run(in_namespace(tmp_path, *asked), capture_output=True, check=True, timeout=60)
    under = session.run(*asked)

    musl = compiler != "zig"
    assert entries(under.stdout, musl=musl) == entries(plain.stdout, musl=musl)
    assert b"gethostbyname deep 2: web.test 2 [ deep.test alias.test ] (" in under.stdout


def test_addresses_as_libc(session: Session, names: Names, program: str, compiler: str, tmp_path: Path) -> None:
    need("unshare")
    musl = compiler != "zig"
    unknown = [] if musl else ["10.9.9.9", "2001:db8::9"]  # musl gives the address itself for a name
    asked = [program, "addresses", "10.1.0.1", "2001:db8::6", "::", *unknown]
    plain = subprocess.run(in_namespace(tmp_path, *asked), capture_output=True, check=True, timeout=60)
    under = session.run(*asked)

    assert entries(under.stdout, musl=musl) == entries(plain.stdout, musl=musl)


def test_order(session: Session, names: Names, program: str) -> None:
    out = session.run(program, "names", "web").stdout.decode()

    assert out.count("( 10.1.0.1 10.1.0.2 10.1.0.3 ) errno 77") == 4
    assert out.count("( 2001:db8::1:1 2001:db8::1:2 ) errno 77") == 2


def ends(session: Session, program: str, asked: str) -> dict[str, str]:
    """How the calls for IPv4 ended, by their names."""
    found = {}
    for line in session.run(program, "names", asked).stdout.decode().splitlines():
        match = re.fullmatch(r"(\d+ )?(twice |once )?(\w+) \S+ 2: (.*)", line)
        if match:
            found[match[3]] = (match[1] or "") + match[4]
    return found


def test_bad_ends(session: Session, names: Names, program: str, compiler: str) -> None:
    names.names["busy.test"], names.names["broken.test"] = Name(outcome=TRY_AGAIN), Name(outcome=FAILED)
    busy = ends(session, program, "busy.test")
    assert busy["gethostbyname"] == f"h_errno {TRY_AGAIN_} errno 77"
    again = f"0 h_errno {TRY_AGAIN_} errno 77" if compiler == "zig" else f"{EAGAIN} h_errno {TRY_AGAIN_} errno {EAGAIN}"
    assert busy["gethostbyname_r"] == again
    broken = ends(session, program, "broken.test")
    assert broken["gethostbyname2"] == f"h_errno {NO_RECOVERY} errno 77"
    assert broken["gethostbyname2_r"] == f"0 h_errno {NO_RECOVERY} errno 77"
    names.failure = "EMFILE"
    full = ends(session, program, "web")
    assert full["gethostbyname"] == f"h_errno {NETDB_INTERNAL} errno {EMFILE}"
    assert full["gethostbyname_r"] == f"{EMFILE} h_errno {NETDB_INTERNAL} errno {EMFILE}"
    session.die()
    assert ends(session, program, "web")["gethostbyname"] == f"h_errno {NETDB_INTERNAL} errno {EIO}"


def test_many(session: Session, names: Names, program: str) -> None:
    """The functions' own memory has room for some hundred addresses; the caller's may have more."""
    many = ends(session, program, "many.test")
    assert many["gethostbyname"] == f"h_errno {NETDB_INTERNAL} errno {ERANGE}"
    assert many["gethostbyname_r"] == f"0 many.test 2 [ ] ( {' '.join(MANY)} ) errno 77"
    names.names["many.test"] = Name(MANY[:600])
    assert ends(session, program, "many.test")["gethostbyname"].count(" 10.") == 600


def test_local(session: Session, names: Names, program: str) -> None:
    names.local = {"localhost", "none.invalid"}
    session.table.set_network(ALL_LOCAL)
    session.run(program, "names", "web.invalid", "localhost")
    session.run(program, "addresses", "127.0.0.1")

    assert session.remote.asked == []


def test_sanitized(session: Session, names: Names, compile_program: Programs) -> None:
    program = compile_program("hostent", compiler="zig", output="hostent-zig")
    plain = session.run(program, "names", "web", "alias.test").stdout
    sanitize(session)

    assert session.run(program, "names", "web", "alias.test").stdout == plain

"""res_query and its kin: under the layer as libc's beside a DNS server with the same names."""

from __future__ import annotations

import errno
import re
import subprocess
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from layer_dns import in_namespace
from layer_names import Names
from layer_programs import Programs, need
from layer_session import Session
from layer_table import ALL_LOCAL
from mirrord_protocol.layer_values import LayerRequest

pytestmark = pytest.mark.programs

A, TXT, SRV = "1", "16", "33"
HOST_NOT_FOUND, AGAIN, NO_RECOVERY = 1, 2, 3
KEPT = 77


@pytest.fixture
def program(compile_program: Programs, compiler: str) -> str:
    """The program that prints answers."""
    return compile_program("resolver", "-lresolv", compiler=compiler, output=f"resolver-{compiler}")


def ends(output: bytes) -> list[str]:
    """What was called and how it ended; errno is libc's to leave."""
    return re.sub(r" errno \d+$", "", output.decode(), flags=re.MULTILINE).splitlines()


@pytest.mark.parametrize(
    ("size", "kind", "asked"),
    [
        ("16384", A, ["web", "web.test", "alias", "none.test", "empty.test", "a..b", "web.test."]),
        ("100", A, ["web.test"]),
        ("4315", TXT, ["long.test"]),
        ("16384", SRV, ["_http._tcp", "_http._tcp.test"]),
    ],
)
def test_as_libc(
    session: Session, names: Names, program: str, tmp_path: Path, size: str, kind: str, asked: list[str]
) -> None:
    need("unshare")
    if program.endswith("musl-gcc"):
        if kind == TXT:
            pytest.skip("musl 1.2.3 asks by datagrams alone")
        asked = [name for name in asked if name not in {"a..b", "web.test."}]  # bad names fail without saying why
    command = [program, size, kind, *asked]
    plain = subprocess.run(in_namespace(tmp_path, *command), capture_output=True, check=True, timeout=60)
    under = session.run(*command)

    assert ends(under.stdout) == ends(plain.stdout)
    assert len(session.remote.questions("QUERY")) > 4


@pytest.mark.parametrize("size", [12, 13, 100, 4314])
def test_answer_that_is_too_long(session: Session, names: Names, program: str, tmp_path: Path, size: int) -> None:
    """As much as there is room for, marked as cut off; the result says how long the whole is."""
    need("unshare")

    def lengths(output: bytes) -> list[tuple[str, str, str]]:
        return re.findall(r"^(\w+).*: (-?\d+) (\w{0,2})", output.decode(), re.MULTILINE)

    command = [program, str(size), TXT, "long.test"]
    under = lengths(session.run(*command).stdout)
    assert ("res_query", "4315", "83") in under
    if program.endswith("zig"):  # musl 1.2.3 asks by datagrams alone
        plain = subprocess.run(in_namespace(tmp_path, *command), capture_output=True, check=True, timeout=60)
        assert under == lengths(plain.stdout)


def test_no_room(session: Session, names: Names, program: str) -> None:
    out = session.run(program, "11", A, "web").stdout.decode()

    assert set(re.findall(r": -1 h_errno (\d+) .*errno (\d+)", out)) == {
        (str(AGAIN), str(errno.EINVAL)), ("99", str(errno.EINVAL))
    }  # fmt: skip
    assert session.remote.questions("QUERY") == []


def calls(output: bytes) -> dict[str, tuple[int, int, int]]:
    """By call: result, h_errno and errno of those that failed."""
    pattern = r"^(\w+)\(.*: (-1) h_errno (\d+) state \d+ errno (\d+)"
    return {each[0]: (int(each[1]), int(each[2]), int(each[3]))
            for each in re.findall(pattern, output.decode(), re.MULTILINE)}  # fmt: skip


def test_bad_ends(session: Session, names: Names, program: str) -> None:
    for failure in ("ETIMEDOUT", "ECONNREFUSED", "EMFILE"):
        names.failure = failure
        code = getattr(errno, failure)
        failed = calls(session.run(program, "512", A, "web").stdout)
        assert failed["res_query"] == failed["res_search"] == (-1, AGAIN, code)
        assert failed["ask"] == (-1, 99, code)
    names.failure, names.damage = "", b"x" * 11
    assert calls(session.run(program, "512", A, "web").stdout)["res_query"] == (-1, AGAIN, errno.EIO)
    session.die()
    assert calls(session.run(program, "512", A, "web").stdout)["res_query"] == (-1, AGAIN, errno.EIO)


@pytest.mark.parametrize(("code", "trouble"), [(dns.rcode.SERVFAIL, AGAIN), (dns.rcode.REFUSED, NO_RECOVERY)])
def test_bad_codes(session: Session, names: Names, program: str, code: dns.rcode.Rcode, trouble: int) -> None:
    """musl leaves these to its callers; glibc says what they mean."""
    message = dns.message.make_response(dns.message.make_query("web.test", "A"))
    message.set_rcode(code)
    names.damage = message.to_wire()
    out = session.run(program, "512", A, "web.test").stdout

    if program.endswith("zig"):
        assert calls(out)["res_query"] == (-1, trouble, KEPT)
    else:
        assert calls(out) == {}


def test_search_is_the_targets(session: Session, names: Names, program: str) -> None:
    """A name with a dot at its end is whole; a search is asked for with others, and only by the calls that search."""
    flags: list[tuple[str, int]] = []

    def note(request: LayerRequest, payload: bytes) -> None:
        name = dns.message.from_wire(payload).question[0].name.to_text()
        flags.append((name, request.flags))

    session.before = note
    session.run(program, "512", A, "web", "four.test.")

    assert (("web.", 1) in flags) == program.endswith("zig")  # musl's search is none
    assert ("web.", 0) in flags
    assert ("four.test.", 0) in flags and ("four.test.", 1) not in flags
    assert ("web.test.", 0) in flags and ("web.test.", 1) not in flags


def test_questions_are_numbered_at_random(session: Session, names: Names, program: str) -> None:
    session.run(program, "512", A, *["web"] * 20)

    assert len({message[:2] for message in session.remote.questions("QUERY")}) > 40


def test_local(session: Session, names: Names, program: str, tmp_path: Path) -> None:
    """Passed on to libc, by the name that the program called."""
    need("unshare")
    command = [program, "512", A, "four", "none.test"]
    plain = subprocess.run(in_namespace(tmp_path, *command), capture_output=True, check=True, timeout=60)
    names.local = {"four", "four.test", "none.test", "none.test.test", "four.test.test"}
    assert ends(session.run(*in_namespace(tmp_path, *command)).stdout) == ends(plain.stdout)
    assert session.remote.questions("QUERY") != []

    session.remote.asked.clear()
    session.table.set_network(ALL_LOCAL)
    assert ends(session.run(*in_namespace(tmp_path, *command)).stdout) == ends(plain.stdout)
    assert session.remote.questions("QUERY") == []


def test_library_that_is_loaded_later(session: Session, compile_program: Programs) -> None:
    """libc's part of a call may come with dlopen, as libresolv does before glibc 2.34. musl has no res_nquery at all."""
    need("musl-gcc")
    parts = {
        name: compile_program(
            "late", f"-D{name}", "-fPIC", "-shared", *extra, compiler="musl-gcc", output=f"liblate_{name.lower()}.so"
        )
        for name, extra in {"RESOLVER": (), "PLUGIN": ()}.items()
    }
    program = compile_program("late", compiler="musl-gcc", output="late")
    done = session.run(program, *parts.values())

    assert done.stdout == b"before: -1 38\nafter: 4242 77\n"

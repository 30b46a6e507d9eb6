"""getaddrinfo: what it gives under the layer is what libc gives beside a DNS server with the same names."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from layer_dns import in_namespace
from layer_names import FAILED, MANY, NAMES, TRY_AGAIN, Name, Names
from layer_programs import Programs, need, sanitize
from layer_session import Session
from layer_table import ALL_LOCAL
from mirrord_protocol.layer_values import LayerRequest, LayerResolve

pytestmark = pytest.mark.programs

EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_NODATA, EAI_SYSTEM = -2, -3, -4, -5, -11
KEPT = 77
"""What errno is before each call of the program."""


@pytest.fixture
def program(compile_program: Programs, compiler: str) -> str:
    """The program that prints lists."""
    return compile_program("addrinfo", compiler=compiler, output=f"addrinfo-{compiler}")


@pytest.mark.parametrize(
    ("what", "asked"),
    [
        ("services", ["NULL", "web", "empty.test", "none.test", "10.9"]),
        ("flags", ["NULL", "", "*", "web", "web.test.", "alias.test", "four.test", "six.test", "1st.test", "empty.test",
                   "none.test", "127.1", "0x7f000001", "::1", "fe80::1%1", "localhost", "b\u00fccher.test",
                   "x" * 300, "x" * 1100]),
    ],
)  # fmt: skip
def test_as_libc(session: Session, names: Names, program: str, tmp_path: Path, what: str, asked: list[str]) -> None:
    need("unshare")
    command = [program, what, *asked]
    plain = subprocess.run(in_namespace(tmp_path, *command), capture_output=True, check=True, timeout=60)
    under = session.run(*command)

    expected, seen = plain.stdout.splitlines(), under.stdout.splitlines()
    assert len(expected) > 1500
    assert seen == expected
    assert {name.decode() for name in session.remote.questions("RESOLVE")} <= {*NAMES, *asked} - {"localhost", "*"}


def test_questions(session: Session, names: Names, compile_program: Programs) -> None:
    """What is asked for, and the service's port, of which a filter may speak."""
    requests = set()

    def note(request: LayerRequest, payload: bytes) -> None:
        requests.add((LayerResolve(request.flags), request.offset))

    session.before = note
    session.run(compile_program("addrinfo", output="addrinfo-zig"), "flags", "web")

    four, six = LayerResolve.IPV4, LayerResolve.IPV6
    named, configured = LayerResolve.CANONICAL_NAME, LayerResolve.CONFIGURED_ONLY
    wanted = {four, six, four | six, four | named, six | named, four | six | named}
    wanted |= {each | configured for each in (four, six, four | six)}
    wanted |= {each | named | configured for each in (four, four | six)}
    assert {flags for flags, _ in requests} == wanted
    assert {port for _, port in requests} == {0, 80}


def simply(output: bytes) -> list[tuple[int, int, list[str], str]]:
    """For both families, IPv4, IPv6: code, errno, addresses with scopes, and the canonical name."""
    lines = output.decode().splitlines()
    found = []
    for call, error in zip(lines[::2], lines[1::2], strict=True):
        code, *entries = call.partition(": ")[2].split(" ")
        fields = [entry.split("|") for entry in entries]
        name = fields[0][-1] if fields else ""
        found.append((int(code), int(error.removeprefix("errno ")), [field[0] for field in fields], name))
    return found


def test_order_scope_and_many(session: Session, names: Names, program: str) -> None:
    mixed = ["10.3.0.9", "fe80::7%3", "10.3.0.1", "2001:db8::3"]
    names.names["mixed.test"] = Name(mixed)
    both, four, six = simply(session.run(program, "simply", "mixed.test").stdout)
    many = simply(session.run(program, "simply", "many.test").stdout)[0]

    assert both == (0, KEPT, ["10.3.0.9%0", "fe80::7%3", "10.3.0.1%0", "2001:db8::3%0"], "mixed.test")
    assert four[2:] == (["10.3.0.9%0", "10.3.0.1%0"], "mixed.test")
    assert six[2:] == (["fe80::7%3", "2001:db8::3%0"], "mixed.test")
    assert many == (0, KEPT, [f"{address}%0" for address in MANY], "many.test")


def test_bad_ends(session: Session, names: Names, program: str, compiler: str) -> None:
    """A failure leaves errno alone, but for EAI_SYSTEM, which says it there."""

    def ends(asked: str) -> list[tuple[int, int]]:
        return [each[:2] for each in simply(session.run(program, "simply", asked).stdout)]

    no_data = EAI_NODATA if compiler == "zig" else EAI_NONAME
    names.names["busy.test"], names.names["broken.test"] = Name(outcome=TRY_AGAIN), Name(outcome=FAILED)
    assert ends("none.test") == [(EAI_NONAME, KEPT)] * 3
    assert ends("empty.test") == [(no_data, KEPT)] * 3
    assert ends("six.test") == [(0, KEPT), (no_data, KEPT), (0, KEPT)]
    assert ends("busy.test") == [(EAI_AGAIN, KEPT)] * 3
    assert ends("broken.test") == [(EAI_FAIL, KEPT)] * 3
    for failure, code in {"ENETDOWN": EAI_AGAIN, "ETIMEDOUT": EAI_AGAIN, "EMFILE": EAI_SYSTEM}.items():
        names.failure = failure
        assert ends("web") == [(code, errno.EMFILE if code == EAI_SYSTEM else KEPT)] * 3
    names.failure = ""
    for damage in (b"\1", bytes(24), b"\4" + bytes(23) + b"a\0\0b", b"\4" + bytes(23) + b"x" * 1025):
        names.damage = damage
        assert ends("web") == [(EAI_SYSTEM, errno.EIO)] * 3
    session.die()
    assert ends("web") == [(EAI_SYSTEM, errno.EIO)] * 3


def test_local(session: Session, names: Names, program: str) -> None:
    """A name that is this machine's is looked up here; none is asked about where all are."""

    def calls(output: bytes) -> list[bytes]:
        return [line for line in output.splitlines() if not line.startswith(b"errno")]  # libc's own changes it at will

    command = [program, "simply", "localhost", "none.invalid"]
    here = calls(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    names.local = {"none.invalid"}
    assert calls(session.run(*command).stdout) == here
    assert session.remote.questions("RESOLVE") == [b"none.invalid"] * 3

    session.table.set_network(ALL_LOCAL)
    session.remote.asked.clear()
    assert calls(session.run(*command).stdout) == here
    assert session.remote.asked == []


def test_no_socket_and_no_file(session: Session, names: Names, program: str, tmp_path: Path) -> None:
    need("strace")
    trace = tmp_path / "trace"
    calls = "trace=socket,connect,open,openat,sendto,bind"
    session.run("strace", "-f", "-e", calls, "-o", str(trace), program, "simply", "web")

    text = trace.read_text()
    assert "socket(" not in text.replace("socket(AF_UNIX, SOCK_SEQPACKET", "")
    assert "connect(" not in text and "sendto(" not in text
    for file in ("resolv.conf", "nsswitch.conf", "/etc/hosts"):
        assert file not in text


def test_memory(session: Session, names: Names, compile_program: Programs, tmp_path: Path) -> None:
    """Every list is given back whole, whoever frees it, and nothing is read beyond its end."""
    need("valgrind")
    program = compile_program("addrinfo", compiler="gcc", output="addrinfo-gcc")
    kinds, log = "definite,indirect,possible", tmp_path / "log"
    options = [f"--log-file={log}", "-q", "--leak-check=full", f"--show-leak-kinds={kinds}"]
    session.run("valgrind", *options, program, "flags", "web", "empty.test")

    assert log.read_text() == ""
    assert len(session.remote.questions("RESOLVE")) > 100


def test_sanitized(session: Session, names: Names, compile_program: Programs) -> None:
    program = compile_program("addrinfo", compiler="zig", output="addrinfo-zig")
    plain = session.run(program, "flags", "web", "six.test", "b\u00fccher.test").stdout
    sanitize(session)

    assert session.run(program, "flags", "web", "six.test", "b\u00fccher.test").stdout == plain


def test_allocation_is_the_programs(session: Session, names: Names, program: str) -> None:
    """With musl's own guards, and glibc's where it has them."""
    done = session.run(program, "flags", "web", env={"MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165"})

    assert done.stderr == b""


def test_threads_and_forks(session: Session, names: Names, compile_program: Programs, compiler: str) -> None:
    program = compile_program("names_together", compiler=compiler, output=f"names_together-{compiler}")
    session.run(program)

    assert len(session.remote.questions("RESOLVE")) > 100


def test_asynchronously(session: Session, names: Names, compile_program: Programs) -> None:
    need("gcc")
    session.run(compile_program("addrinfo_a", "-lanl", compiler="gcc", output="addrinfo_a-gcc"))

    assert session.remote.questions("RESOLVE") == [b"web", b"none.test", b"web"] * 3

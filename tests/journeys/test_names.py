"""Names resolve as in the target, in each runtime's way; what each program prints is compared with the target's truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.around import Around
from tests.kit.network import HOSTNAME, PEER, PEER6
from tests.kit.run import PYTHON, Runner

pytestmark = pytest.mark.journey
PROGRAMS = Path(__file__).parent / "programs"
ASK = "import socket, sys\nfor name in sys.argv[1:]: print(sorted({e[4][0] for e in socket.getaddrinfo(name, 80)}))"


def same(runner: Runner, around: Around, *command: str) -> list[str]:
    """Run a program under mirrord, see that it prints what it prints in the target's network, and return that."""
    truth = runner.run(around.target.command(*command, names=True))
    assert (truth.stderr, truth.returncode) == ("", 0)

    seen = runner.exec(around.target, *command)

    assert (seen.stderr, seen.returncode) == ("", 0)
    assert seen.stdout.splitlines() == truth.stdout.splitlines()
    return seen.stdout.splitlines()


def ask(runner: Runner, around: Around, *names: str, network: dict[str, object]) -> tuple[list[str], int]:
    """What getaddrinfo says of names under a configuration: lines, and the exit code."""
    config = runner.folder / "mirrord.json"
    config.write_text(json.dumps({"feature": {"network": network}}))
    around.services.asked()
    done = runner.exec(around.target, PYTHON, "-c", ASK, *names, options=("-q", "-f", str(config)))
    return done.stdout.splitlines(), done.returncode


def test_python(runner: Runner, around: Around) -> None:
    assert len(same(runner, around, PYTHON, str(PROGRAMS / "names.py"), PEER, PEER6)) > 300


def test_c_and_records(runner: Runner, around: Around, compile_c: Callable[..., str]) -> None:
    lines = same(runner, around, compile_c("names.c", "gcc", "-lresolv"))

    assert lines[0] == "res_query SRV: [_http._tcp.shop.test 33 db.shop.test.] rcode 0"
    assert lines[-1].startswith(f"uname 0 {HOSTNAME.decode()}, gethostname 0 {HOSTNAME.decode()}")


def test_node_and_c_ares(runner: Runner, around: Around, require: Callable[[str], str]) -> None:
    lines = same(runner, around, require("node"), runner.copy(PROGRAMS / "names.js"))

    assert 'resolve4 ["10.77.0.1"]' in lines


def test_java(runner: Runner, around: Around, require: Callable[[str], str]) -> None:
    subprocess.run([require("javac"), "-d", str(runner.folder), str(PROGRAMS / "Names.java")], check=True)

    lines = same(runner, around, require("java"), "-Xshare:auto", "-cp", str(runner.folder), "Names")

    assert lines[-1] == HOSTNAME.decode()


@pytest.mark.parametrize(
    "question",
    [
        ("db.shop.test",), ("db.shop.test", "AAAA"), ("_http._tcp.shop.test", "SRV"), ("+tcp", "shop.test", "MX"),
        ("large.shop.test", "TXT"), ("+search", "db"), ("-x", PEER), ("nothing.shop.test",), (f"@{PEER6}", "four.shop.test"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_dig(runner: Runner, around: Around, require: Callable[[str], str], question: tuple[str, ...]) -> None:
    """It speaks DNS itself, over UDP or TCP, with the servers of resolv.conf."""
    same(runner, around, require("dig"), "+noall", "+answer", "+tries=1", *question)


@pytest.mark.parametrize("database", ["hosts", "ahosts", "ahostsv6"])
def test_getent(runner: Runner, around: Around, database: str) -> None:
    same(runner, around, "getent", database, "db", "gw", "www.shop.test", PEER)


def test_host_name(runner: Runner, around: Around) -> None:
    seen = runner.exec(around.target, "sh", "-c", "hostname; uname -n; cat /proc/sys/kernel/hostname")

    assert (seen.stderr, seen.stdout.split()[:2]) == ("", [HOSTNAME.decode()] * 2)


def test_host_name_that_stays_here(runner: Runner, around: Around) -> None:
    config = runner.folder / "mirrord.json"
    config.write_text('{"feature": {"hostname": false}}')

    seen = runner.exec(around.target, "uname", "-n", options=("-q", "-f", str(config)))

    assert seen.stdout == runner.run(["uname", "-n"]).stdout


def test_both_kinds_of_addresses_are_asked_for_at_once(runner: Runner, around: Around) -> None:
    """The server answers neither question before it has both."""
    lines, _ = ask(runner, around, "together.shop.test", network={})

    assert lines == [str(sorted([PEER, PEER6]))]


def test_answers_are_remembered_for_their_lifetime(runner: Runner, around: Around) -> None:
    lines, _ = ask(runner, around, *["db.shop.test"] * 20, network={})

    assert lines == [str(sorted([PEER, PEER6]))] * 20
    assert sorted(around.services.asked()) == [("db.shop.test.", "A", "udp"), ("db.shop.test.", "AAAA", "udp")]


def test_bad_answers_are_remembered_too(runner: Runner, around: Around) -> None:
    program = "import socket\nfor _ in range(9):\n try: socket.getaddrinfo('nothing.shop.test.', 80)\n except socket.gaierror as e: print(e.args[0])"
    around.services.asked()

    seen = runner.exec(around.target, PYTHON, "-c", program)

    assert seen.stdout.split() == ["-2"] * 9
    assert len(around.services.asked()) == 2


def test_lifetime_that_ends(runner: Runner, around: Around) -> None:
    """A lifetime of one second: the second question is asked when the clock says so, and not before."""
    program = (
        "import socket, time\nstart = time.monotonic()\n"
        "while time.monotonic() < start + 2.5: socket.getaddrinfo('short.shop.test', 80, socket.AF_INET); time.sleep(0.05)"
    )
    around.services.asked()

    seen = runner.exec(around.target, PYTHON, "-c", program)

    assert (seen.stderr, seen.returncode) == ("", 0)
    assert 2 <= len([question for question in around.services.asked() if question[1] == "A"]) <= 4


def test_no_server_answers(runner: Runner, around: Around) -> None:
    """EAI_AGAIN, as soon as the target's resolv.conf says."""
    program = (
        "import socket\ntry: socket.getaddrinfo('silent.shop.test.', 80)\nexcept socket.gaierror as e: print(e.args[0])"
    )

    seen = runner.exec(around.target, PYTHON, "-c", program)

    assert (seen.stdout, seen.stderr) == ("-3\n", "")


def test_names_that_stay_here(runner: Runner, around: Around) -> None:
    lines, code = ask(runner, around, "localhost", "db.shop.test", network={"dns": False})

    assert len(lines) == 1 and code == 1, "this machine doesn't know the second"
    assert around.services.asked() == []


def test_filter_of_what_stays_here(runner: Runner, around: Around) -> None:
    network: dict[str, object] = {"dns": {"enabled": True, "filter": {"local": ["six.shop.test"]}}}

    lines, code = ask(runner, around, "four.shop.test", "six.shop.test", network=network)

    assert (lines, code) == ([f"['{PEER}']"], 1)
    assert {name for name, _, _ in around.services.asked()} == {"four.shop.test."}


def test_filter_of_what_is_the_targets(runner: Runner, around: Around) -> None:
    network: dict[str, object] = {"dns": {"enabled": True, "filter": {"remote": ["four.shop.test"]}}}

    lines, code = ask(runner, around, "four.shop.test", "six.shop.test", network=network)

    assert (lines, code) == ([f"['{PEER}']"], 1)
    assert {name for name, _, _ in around.services.asked()} == {"four.shop.test."}


def test_changed_files_count(runner: Runner, own_around: Around) -> None:
    """The target's files of names are read again when they change."""
    program = (
        "import socket, sys\nprint(socket.gethostbyname('shelf'), flush=True); sys.stdin.readline()\n"
        "try:\n while socket.gethostbyname('shelf') != '10.77.0.4': pass\nexcept OSError as e: print(e)\nprint('changed')"
    )
    own_around.target.write("/etc/hosts", "127.0.0.1 localhost\n10.77.0.3 shelf\n")
    command = runner.arguments(own_around.target, [PYTHON, "-c", program], ["-q"])
    with runner.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr) as process:
        assert process.stdout and process.stdin
        assert process.stdout.readline() == b"10.77.0.3\n"
        own_around.target.write("/etc/hosts", "127.0.0.1 localhost\n10.77.0.4 shelf\n")
        out, _ = process.communicate(b"\n", timeout=30)

    assert out == b"changed\n"

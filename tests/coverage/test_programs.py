"""No system call that reads the target's files gets past the layer: real programs, seen from outside.

Each program looks at a tree twice: on the plain system, and traced, under the layer, with that tree as the target's.
It must print the same, and no call with a path of the target may reach the kernel, less those that no preloaded library
can see (trace.py). That the trace shows what gets past is tested with a program that does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layer_programs import need
from layer_remote import BASE
from layer_session import Session
from mirrord_layer_unix import build
from tests.coverage.trace import OPTIONS, Call, missed, parse

pytestmark = [pytest.mark.programs, pytest.mark.slow]
PROGRAMS = Path(__file__).parent / "programs"

Look = Callable[..., list[Call]]


@pytest.fixture
def look(session: Session, tree: Path, tmp_path: Path) -> Look:
    """Run a command twice, the tree and a folder to write to as its last arguments; return the second run's calls."""
    need("strace")

    def run(*command: str) -> list[Call]:
        plain_out, out, traces = (tmp_path / name for name in ("plain", "out", "traces"))
        for folder in (plain_out, out, traces):
            folder.mkdir()
        plain = subprocess.run(
            [*command, str(tree), str(plain_out)], capture_output=True, cwd=tmp_path, check=False, timeout=60
        )
        strace = ["strace", *OPTIONS, "-o", str(traces / "of"), "--"]
        layered = session.run(*strace, *command, session.path("tree"), str(out), check=False, cwd=tmp_path)

        assert plain.returncode == 0, plain.stderr.decode()
        written, expected = layered.stdout.replace(bytes(out), b"OUT"), plain.stdout.replace(bytes(plain_out), b"OUT")
        assert written.decode() == expected.decode(), layered.stderr.decode()
        assert layered.returncode == 0, layered.stderr.decode()
        assert session.remote.questions("OPEN", "STAT", "LIST")
        calls = [call for file in sorted(traces.iterdir()) for call in parse(file.read_text("latin-1").splitlines())]
        assert calls
        return calls

    return run


def gone_past(calls: list[Call], tmp_path: Path) -> list[str]:
    return [str(call) for call in missed(calls, BASE, bytes(tmp_path / "scratch"))]


def test_python(look: Look, tmp_path: Path) -> None:
    assert gone_past(look(sys.executable, "-B", str(PROGRAMS / "look.py")), tmp_path) == []


def test_node(look: Look, tmp_path: Path) -> None:
    need("node")

    assert gone_past(look("node", str(PROGRAMS / "look.js")), tmp_path) == []


def test_java(look: Look, tmp_path: Path) -> None:
    need("javac")
    subprocess.run(["javac", "-d", str(tmp_path), str(PROGRAMS / "Look.java")], check=True)

    assert gone_past(look("java", "-XX:-UsePerfData", "-Xshare:auto", "-cp", str(tmp_path), "Look"), tmp_path) == []


@pytest.mark.parametrize("script", ["look.sh", "look_tar.sh", "look_sqlite.sh"])
def test_shell(look: Look, tmp_path: Path, script: str) -> None:
    need("sqlite3")

    assert gone_past(look("bash", str(PROGRAMS / script)), tmp_path) == []


def test_git(look: Look, tmp_path: Path, repository: Path) -> None:
    assert gone_past(look("bash", str(PROGRAMS / "look_git.sh")), tmp_path) == []


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="written for this machine type")
def test_what_gets_past_is_seen(session: Session, tmp_path: Path) -> None:
    need("strace")
    program = str(tmp_path / "direct")
    subprocess.run([build.zig()[0], "cc", "-O1", "-o", program, str(PROGRAMS / "direct.c")], check=True)
    path = session.path("tree", "lines")

    done = session.run("strace", *OPTIONS, "-o", str(tmp_path / "of"), "--", program, path, check=False)

    assert done.returncode == 1
    calls = [call for file in tmp_path.glob("of.*") for call in parse(file.read_text("latin-1").splitlines())]
    assert gone_past(calls, tmp_path) == [f"openat {path}: no function of libc, called by {program}"]

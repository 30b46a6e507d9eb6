"""Nobody needs root: an ordinary user looks into processes of their own, plain and in a user namespace."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.journeys.conftest import Ordinary
from tests.kit.run import PYTHON, Runner

pytestmark = pytest.mark.journey
REMOTE = Path(__file__).parent.parent / "kit" / "remote.py"
LOOK = 'echo "$GREETING"; id -u; cat /etc/hostname'


def look(runner: Runner, ordinary: Ordinary, *kind: str, hostname: Path | None = None) -> str:
    """What a program sees of an ordinary user's own target of a kind; `hostname` is a file that its root is to have."""
    command = [*ordinary.become, PYTHON, "-I", "-S", "-B", str(REMOTE), *kind]
    environment = {"GREETING": "from over there", "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as target:
        assert target.stdout
        assert target.stderr
        line = target.stdout.readline()
        if not line:
            pytest.skip(f"ordinary users get no namespaces here: {target.stderr.read().decode().strip()[-200:]}")
        if hostname:
            hostname.write_text("over-there\n")
        arguments = runner.arguments(f"process/{int(line)}", ["sh", "-c", LOOK], ["-q"])
        home = {"HOME": str(ordinary.home)}
        done = runner.run([*ordinary.become, *arguments], cwd=ordinary.home, env=home)
        target.communicate()
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_a_process_of_ones_own(runner: Runner, ordinary: Ordinary) -> None:
    seen = look(runner, ordinary, "plain")

    assert seen.splitlines() == ["from over there", "65534", *Path("/etc/hostname").read_text().splitlines()]


def test_a_process_in_a_user_namespace_of_ones_own(runner: Runner, ordinary: Ordinary) -> None:
    root = ordinary.home / "root"
    root.mkdir()
    os.chown(root, 65534, 65534)

    seen = look(runner, ordinary, "isolated", str(root), hostname=root / "etc" / "hostname")

    assert seen.splitlines() == ["from over there", "65534", "over-there"]

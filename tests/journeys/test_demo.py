"""The first command of the README does what it says, as root and as an ordinary user, and leaves nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.journeys.conftest import Ordinary
from tests.kit.run import Runner
from tests.kit.target import Target

pytestmark = pytest.mark.journey
ROOT = Path(__file__).parent.parent.parent


def test_demo(runner: Runner, target: Target) -> None:
    before = set(Path(tempfile.gettempdir()).glob("mirrord*"))

    done = runner.run([sys.executable, "-m", "tests.demo"], cwd=ROOT, timeout=60)

    assert done.stderr == ""
    assert done.returncode == 0, done.stdout
    assert "DIFFERS" not in done.stdout
    assert set(Path(tempfile.gettempdir()).glob("mirrord*")) <= before


def test_demo_of_an_ordinary_user(runner: Runner, ordinary: Ordinary) -> None:
    if subprocess.run([*ordinary.become, "unshare", "--user", "true"], capture_output=True, check=False).returncode:
        pytest.skip("ordinary users may not make user namespaces on this machine")
    command = [*ordinary.become, sys.executable, "-m", "tests.demo"]

    done = runner.run(command, cwd=ROOT, timeout=60, env={"HOME": str(ordinary.home)})

    assert (done.returncode, done.stderr) == (0, ""), done.stdout

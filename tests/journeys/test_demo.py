"""The first command of the README does what it says, as root and as an ordinary user, and leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

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
    assert set(Path(tempfile.gettempdir()).glob("mirrord*")) == before


def test_demo_of_an_ordinary_user(runner: Runner, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the other test is that of an ordinary user already")
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    probe = [
        *become,
        sys.executable,
        "-c",
        "import mirrord_cli, ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) != 0)",
    ]
    if subprocess.run(probe, capture_output=True, check=False, cwd="/").returncode:
        pytest.skip("an ordinary user can't read this checkout, or may not make user namespaces")
    home = tmp_path / "theirs"
    home.mkdir()
    os.chown(home, 65534, 65534)

    done = runner.run([*become, sys.executable, "-m", "tests.demo"], cwd=ROOT, timeout=60, env={"HOME": str(home)})

    assert (done.returncode, done.stderr) == (0, ""), done.stdout

"""The order of a session's start: the agent's process first, then what the session itself needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_nothing_heavy_is_loaded_before_it(tmp_path: Path) -> None:
    """Both load their modules at the same time."""
    heavy = "import sys, mirrord_cli.session.server\nsys.exit(bool({'trio', 'capnp', 'structlog'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", heavy], check=False, cwd=tmp_path).returncode == 0

"""The session's log: lines of JSON in a file that only its user can read, loaded when something is written."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

from mirrord_cli.session.log import Log


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(os.fsencode(path))
    log("info", "started", target=7)
    log("warning", "odd", name="\udcff\n")
    log.close()

    first, second = (json.loads(line) for line in path.read_text().splitlines())

    assert (first["event"], first["target"], first["level"], first["pid"]) == ("started", 7, "info", os.getpid())
    assert second["level"] == "warning"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nowhere() -> None:
    log = Log(None)
    log("error", "unheard")
    log.close()


def test_nothing_is_loaded_before_it_is_needed() -> None:
    program = "import sys; from mirrord_cli.session.log import Log; Log(None); print('structlog' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"

"""Who may read modules later: by modes; that what is loaded late is what is looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirrord_agent.loading.driver import LATE, everybody_may_read


@pytest.mark.parametrize(
    ("top", "folder", "file", "may"),
    [
        (0o755, 0o755, 0o644, True),
        (0o755, 0o755, 0o640, False),
        (0o755, 0o711, 0o644, False),
        (0o700, 0o755, 0o644, False),
    ],
)
def test_by_modes(top: int, folder: int, file: int, may: bool, tmp_path: Path) -> None:
    path = tmp_path / "top" / "folder" / "file"
    path.parent.mkdir(parents=True)
    path.touch()
    for each, mode in ((path, file), (path.parent, folder), (path.parent.parent, top)):
        each.chmod(mode)
    everything = all(parent.stat().st_mode & 0o005 == 0o005 for parent in tmp_path.absolute().parents)
    os.chmod(tmp_path, 0o755)

    assert everybody_may_read(path) == (may and everything)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_we_may_not_see_ourselves(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0)
    child = os.fork()
    if not child:
        os.setresuid(65534, 65534, 65534)
        os._exit(everybody_may_read(tmp_path / "file"))
    assert os.waitpid(child, 0)[1] == 0


def test_what_is_loaded_late_is_looked_at_and_not_loaded() -> None:
    """All that an agent loads after it has become somebody else lies in the folders of the modules that are looked at."""
    program = f"""
import sys, sysconfig
import mirrord_agent.life.driver
from mirrord_agent.loading.driver import everybody_may_load
everybody_may_load()
assert not {{"structlog", "dns"}} & set(sys.modules)
before = set(sys.modules)
from mirrord_agent import server
from mirrord_agent.log import Log
server.load_names()
Log("info").load()
late = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(late - set(sys.stdlib_module_names) - {set(LATE)!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"_cffi_backend", "typing_extensions"}  # beside the others

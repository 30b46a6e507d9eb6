"""What posix_spawn does in the child before the program starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from layer_programs import Both, Programs, need
from layer_session import Session

pytestmark = pytest.mark.programs


@pytest.mark.parametrize("request_names", [set(), {"file"}])
def test_opened_files(run_both: Both, session: Session, truth: Path, request_names: set[str]) -> None:
    (truth / "file").write_text("hello")
    session.remote.request_names = request_names
    run_both("actions", "open")


def test_opened_files_under_musl(run_musl: Both, truth: Path) -> None:
    (truth / "file").write_text("hello")
    run_musl("actions", "open")


def test_static_program_finds_its_input_there(session: Session, truth: Path, compile_program: Programs) -> None:
    need("musl-gcc")
    (truth / "file").write_text("hello")
    session.remote.request_names = {"file"}
    program = compile_program("actions", "-static", compiler="musl-gcc", output="actions-static")
    actions = [(os.POSIX_SPAWN_OPEN, 0, session.path("file"), os.O_RDONLY, 0)]
    spawn = f"os.posix_spawn({program!r}, [{program!r}, 'child', '0'], os.environ, file_actions={actions!r})"

    session.run(sys.executable, "-c", f"import os; assert os.waitpid({spawn}, 0)[1] == 0")

"""System calls by number: libc's syscall() must not lead past the layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from layer_programs import Both, Programs
from layer_session import Session

pytestmark = pytest.mark.programs


@pytest.fixture
def tree(truth: Path) -> Path:
    (truth / "one" / "two").mkdir(parents=True)
    (truth / "one" / "file").write_text("file")
    return truth


@pytest.mark.usefixtures("tree")
def test_system_calls(run_both: Both) -> None:
    run_both("syscalls")


@pytest.mark.usefixtures("tree")
def test_system_calls_of_musl(run_musl: Both) -> None:
    run_musl("syscalls")


@pytest.mark.usefixtures("tree")
def test_rings_are_refused(session: Session, compile_program: Programs) -> None:
    session.run(compile_program("syscalls"), session.path().rstrip("/"), "rings")

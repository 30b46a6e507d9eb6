"""Files: what a program opens, reads and asks about is the target's, with the target's answers and errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layer_programs import Both, Programs, need
from layer_session import Session

pytestmark = pytest.mark.programs


@pytest.fixture
def tree(truth: Path) -> Path:
    """Some of everything."""
    (truth / "file").write_text("hello, world\n")
    (truth / "file").chmod(0o640)
    os.utime(truth / "file", ns=(1_000_000_007, 1_234_567_890_123_456_789))
    (truth / "link").symlink_to("file")
    (truth / "dangling").symlink_to("nowhere")
    (truth / "loop").symlink_to("loop")
    (truth / "folder").mkdir()
    (truth / "folder" / "inside").write_text("inside")
    (truth / "folder" / "up").symlink_to("..")
    for name in ("fifo0", "fifo1", "fifo2"):
        os.mkfifo(truth / name)
    return truth


def test_small_files(run_both: Both, tree: Path) -> None:
    run_both("files", str(tree))


def test_other_names(run_both: Both, tree: Path) -> None:
    run_both("twins", str(tree), "41")


def test_other_names_under_musl(run_musl: Both, tree: Path) -> None:
    run_musl("twins", str(tree), "23")


def test_by_number(run_both: Both, tree: Path) -> None:
    run_both("numbers", str(tree))


def test_by_number_under_musl(run_musl: Both, tree: Path) -> None:
    run_musl("numbers", str(tree))


@pytest.mark.parametrize("compiler", ["zig", "musl-gcc"])
def test_other_kinds(session: Session, tree: Path, compile_program: Programs, compiler: str) -> None:
    need(compiler if compiler == "musl-gcc" else "env")
    program = compile_program("kinds", compiler=compiler, output=f"kinds-{compiler}")
    session.run(program, session.path().rstrip("/"), str(tree))


@pytest.mark.parametrize("compiler", ["zig", "musl-gcc"])
def test_places(session: Session, truth: Path, tmp_path: Path, compile_program: Programs, compiler: str) -> None:
    need(compiler if compiler == "musl-gcc" else "env")
    (truth / "file").write_text("remote")
    (truth / "hidden").touch()
    local = tmp_path / "local"
    local.write_text("local")
    session.remote.mapping = {b"/elsewhere": os.fsencode(local)}
    session.remote.not_found = {b"/remote-files/hidden"}
    program = compile_program("places", compiler=compiler, output=f"places-{compiler}")
    session.run(program, session.path().rstrip("/"), str(local))


def test_small_files_under_musl(run_musl: Both, tree: Path) -> None:
    run_musl("files", str(tree))

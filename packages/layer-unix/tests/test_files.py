"""Files: what a program opens, reads and asks about is the target's, with the target's answers and errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layer_programs import Both

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
    return truth


def test_small_files(run_both: Both, tree: Path) -> None:
    run_both("files", str(tree))


def test_small_files_under_musl(run_musl: Both, tree: Path) -> None:
    run_musl("files", str(tree))

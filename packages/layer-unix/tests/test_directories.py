"""Streams of directories: a remote one shows what the real one shows, in its order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layer_programs import Both, Programs
from layer_session import Session
from mirrord_protocol.values import DirectoryEntry

pytestmark = pytest.mark.programs


@pytest.fixture
def tree(truth: Path) -> Path:
    """Directories with something of each kind in them."""
    mixed = truth / "mixed"
    mixed.mkdir()
    (mixed / "file").write_text("file")
    (mixed / "folder").mkdir()
    (mixed / "link").symlink_to("file")
    os.mkfifo(mixed / "fifo")
    (mixed / ("long" * 60)).write_text("")
    (mixed / "with space").write_text("")
    with open(os.fsencode(mixed) + b"/\xff\n", "w"):
        pass
    (truth / "empty").mkdir()
    (truth / "loop").symlink_to("loop")
    (truth / "dangling").symlink_to("nowhere")
    (truth / "forbidden").mkdir(mode=0)
    (truth / "thousand").mkdir()
    for number in range(1000):
        (truth / "thousand" / str(number)).touch()
    return truth


def test_streams(run_both: Both, tree: Path) -> None:
    run_both("directories", str(tree), str(len(os.listdir(tree / "mixed")) + 2))


def test_streams_of_musl(run_musl: Both, tree: Path) -> None:
    run_musl("directories", str(tree), str(len(os.listdir(tree / "mixed")) + 2))


def test_hundred_thousand_entries(session: Session, compile_program: Programs, truth: Path) -> None:
    """Names that count up, in a listing that no directory of this machine has to have."""
    (truth / "large").mkdir()
    names = [DirectoryEntry(b"%d" % number, number + 1, 8, None) for number in range(100_000)]
    session.remote.listings[truth / "large"] = names

    session.run(compile_program("directories"), session.path().rstrip("/"), str(truth), "large")

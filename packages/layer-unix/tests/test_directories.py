"""Streams of directories: a remote one shows what the real one shows, in its order."""

from __future__ import annotations

import os
import subprocess
import sys
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


PYTHON = [
    "print(sorted(os.listdir(path)), sorted((e.name, e.inode(), e.is_dir(), e.stat().st_size) for e in os.scandir(path)))",
    "fd = os.open(path, os.O_RDONLY); print(sorted(os.listdir(fd)), sorted(os.listdir(fd)), len(list(os.scandir(fd))))",
    "print(sorted(glob.glob('**', root_dir=path, recursive=True)))",
    "print(sorted((sorted(folders), sorted(files), os.fstat(fd).st_ino) for _, folders, files, fd in os.fwalk(path)))",
    "print(sorted(str(found.relative_to(path)) for found in pathlib.Path(path).rglob('*i*')))",
    "os.chdir(path); print(os.path.relpath(os.getcwd(), path), os.path.exists('file'), open('folder/../file').read())",
    "fd = os.open(path, os.O_PATH); print(os.stat('file', dir_fd=fd).st_size, os.readlink('link', dir_fd=fd))",
    "os.chdir(path); print(os.spawnlp(os.P_WAIT, 'cat', 'cat', 'file'), os.listdir(os.curdir + '/folder'))",
    "print(subprocess.run(['cat', 'file'], cwd=path, capture_output=True).stdout, os.getcwd())",
    "shutil.copytree(path, 'copy', symlinks=True, ignore=lambda _, names: {'fifo'}); print(sorted(os.listdir('copy')))",
    "print([type(error).__name__ for error in shutil_errors(path)])",
]
HEAD = """
import glob, os, pathlib, shutil, subprocess, sys
path = sys.argv[1]
def shutil_errors(path):
    for call in (os.rmdir, os.remove, lambda path: os.mkdir(path + '/none/made'), lambda path: os.chmod(path + '/x', 0)):
        try:
            call(path + '/none')
        except OSError as error:
            yield error
"""


@pytest.mark.parametrize("code", PYTHON)
def test_python(session: Session, tree: Path, tmp_path: Path, code: str) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "under").mkdir()
    program = [sys.executable, "-c", HEAD + code]
    plain = subprocess.run(
        [*program, tree / "mixed"], cwd=tmp_path / "plain", capture_output=True, check=True, timeout=60
    )

    under = session.run(*program, session.path("mixed"), cwd=tmp_path / "under")

    assert under.stdout.replace(b"under", b"plain") == plain.stdout

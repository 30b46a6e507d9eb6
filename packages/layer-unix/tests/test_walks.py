"""Walks that libc makes by itself: over a remote tree they visit what they visit over the real one, in its order."""

from __future__ import annotations

import difflib
import os
import subprocess
from pathlib import Path

import pytest

from layer_programs import Programs, need, sanitize
from layer_session import Session

pytestmark = pytest.mark.programs


@pytest.fixture
def tree(truth: Path) -> Path:
    """Files, links in every direction, cycles, something closed, and depth."""
    tree = truth / "tree"
    (tree / "sub" / "deep" / "deeper").mkdir(parents=True)
    (tree / "empty").mkdir()
    (tree / "closed").mkdir()
    (tree / "closed" / "inside").touch()
    for name in ("file", "sub/one", "sub/two", "sub/deep/three", "sub/.hidden", "sub/v10", "sub/v9"):
        (tree / name).write_text(name)
    (tree / "link").symlink_to("file")
    (tree / "to-sub").symlink_to("sub")
    (tree / "dangling").symlink_to("nowhere")
    os.mkfifo(tree / "fifo")
    (tree / "sub" / "deep" / "up").symlink_to("../..")
    (truth / "loops" / "a").mkdir(parents=True)
    (truth / "loops" / "a" / "b").symlink_to("..")
    (truth / "loops" / "self").symlink_to("self")
    for path in (tree / "file", tree / "sub" / "one"):
        os.utime(path, ns=(1, 1_500_000_000_123_456_789))
    if os.getuid() != 0:
        (tree / "closed").chmod(0)
    return truth


def lines(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """What a program printed; the directory itself has one name on both sides."""
    return done.stdout.decode().replace("remote-files", "truth").splitlines()


@pytest.mark.parametrize("how", ["shipped", "sanitized", "musl"])
@pytest.mark.parametrize("name", ["walks", "globs"])
def test_walks(session: Session, compile_program: Programs, tree: Path, how: str, name: str) -> None:
    compiler = "zig"
    if how == "sanitized":
        sanitize(session)
    if how == "musl":
        need("musl-gcc")
        compiler = "musl-gcc"
    program = compile_program(name, compiler=compiler, output=f"{name}-{compiler}")
    environment = {**os.environ, **session.environment}
    plain = subprocess.run([program, tree], env=environment, capture_output=True, check=True, timeout=60)
    assert len(lines(plain)) > 50

    under = session.run(program, session.path().rstrip("/"))

    assert "\n".join(difflib.unified_diff(lines(plain), lines(under), lineterm="", n=1)) == ""

"""Changes are always this machine's: at the same path, or where the session says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from layer_programs import Programs, need, sanitize
from layer_remote import BASE
from layer_session import Session

pytestmark = pytest.mark.programs


class Elsewhere(dict[bytes, bytes]):
    """Sends changes of everything below the remote directory to a directory of this machine."""

    def __init__(self, here: Path) -> None:
        self.here = os.fsencode(here)

    def get(self, path: bytes, default: bytes = b"") -> bytes:  # type: ignore[override]
        return self.here + path[len(BASE) :] if path.startswith(BASE + b"/") else default


@pytest.mark.parametrize("how", ["shipped", "sanitized", "musl", "old"])
def test_every_change(session: Session, compile_program: Programs, tmp_path: Path, truth: Path, how: str) -> None:
    compiler = "zig"
    if how == "sanitized":
        sanitize(session)
    if how == "musl":
        need("musl-gcc")
        compiler = "musl-gcc"
    here = tmp_path / "here"
    here.mkdir()
    old = ["-target", f"{os.uname().machine}-linux-gnu.2.17"] if how == "old" else []
    program = compile_program("changes", *old, compiler=compiler, output=f"changes-{how}")
    subprocess.run([program, here, here], check=True, timeout=60)
    session.remote.mapping = Elsewhere(here)
    session.table.set_flags(2)

    session.run(program, session.path().rstrip("/"), str(here), "remote")

    assert list(truth.iterdir()) == []
    assert list(here.iterdir()) == []


def test_without_a_mapping_they_land_at_the_same_path(session: Session, truth: Path) -> None:
    """Where that isn't, there is no such file; the target is never changed."""
    (truth / "file").touch()
    script = f"cd {session.path()} && mkdir made; rm file; ln -s x y; chmod 0 file; mv file other; true"
    done = session.run("bash", "-c", script)

    assert done.stderr.count(b"No such file or directory") == 5
    assert [path.name for path in truth.iterdir()] == ["file"]


def test_hidden_path(session: Session) -> None:
    session.remote.not_found = {b"/remote-files/hidden"}
    session.table.set_flags(2)
    done = session.run("mkdir", session.path("hidden"), check=False)

    assert b"No such file or directory" in done.stderr
    assert session.remote.questions("PLACE") == [b"/remote-files/hidden"]

"""The current directory may be a remote one, for this program and its children."""

from __future__ import annotations

from pathlib import Path

import pytest

from layer_programs import Both, Programs, need, sanitize
from layer_session import Session

pytestmark = pytest.mark.programs


@pytest.fixture
def tree(truth: Path) -> Path:
    (truth / "one" / "two").mkdir(parents=True)
    (truth / "one" / "two" / "file").write_text("file")
    (truth / "link").symlink_to("one")
    return truth


@pytest.mark.usefixtures("tree")
def test_current_directory(run_both: Both) -> None:
    run_both("current")


@pytest.mark.usefixtures("tree")
def test_current_directory_of_musl(run_musl: Both) -> None:
    run_musl("current")


@pytest.mark.usefixtures("tree")
def test_shell_goes_there(session: Session) -> None:
    done = session.run(
        "bash", "-c", f"cd {session.path('one')} && pwd -P && cd two && /bin/pwd -L; cd .. && /bin/pwd -P"
    )

    expected = [session.path("one"), session.path("one", "two"), session.path("one")]
    assert done.stdout.decode().split() == expected


@pytest.mark.usefixtures("tree")
def test_session_that_is_gone(session: Session) -> None:
    """A program in a remote directory is told, and can leave it."""
    script = f"cd {session.path('one')}; echo there; read; pwd -P; cd / && pwd -P"
    with session.start("bash", "-c", script, stdin=-1, stdout=-1, stderr=-1) as program:
        assert program.stdout and program.stdin
        assert program.stdout.readline() == b"there\n"
        session.die()
        out, err = program.communicate(b"\n", timeout=60)

    assert (out, program.returncode) == (b"/\n", 0)
    assert b"Input/output error" in err


@pytest.mark.parametrize("how", ["shipped", "sanitized", "musl"])
@pytest.mark.usefixtures("tree")
def test_directories_of_a_session_that_is_gone(session: Session, compile_program: Programs, how: str) -> None:
    if how == "sanitized":
        sanitize(session)
    if how == "musl":
        need("musl-gcc")
    program = compile_program("lost", compiler="musl-gcc" if how == "musl" else "zig", output=f"lost-{how}")
    with session.start(program, session.path().rstrip("/"), stdin=-1, stdout=-1, stderr=-1) as running:
        assert running.stdout and running.stdin
        assert running.stdout.readline() == b"there\n"
        session.die()
        _, err = running.communicate(timeout=60)

    assert (running.returncode, err) == (0, b"")

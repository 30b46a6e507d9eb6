"""New images: the layer is in every child, and programs that it can't enter are named once."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from layer_programs import Programs, need
from layer_session import Session, scripted_session

pytestmark = pytest.mark.programs


@pytest.mark.parametrize("compiler", ["zig", "musl-gcc"])
def test_children_of_every_make(session: Session, compile_program: Programs, truth: Path, compiler: str) -> None:
    need("musl-gcc" if compiler == "musl-gcc" else "env")
    program = compile_program("process", compiler=compiler, output=f"process-{compiler}")
    plain = subprocess.run([program, str(truth)], capture_output=True, check=True, timeout=60)
    made = [line.split()[0] for line in plain.stdout.splitlines()]
    assert len(made) > 18

    under = session.run(program, session.path())

    assert under.stdout.splitlines() == [b"%s layer link" % how for how in made]
    assert under.stderr == b""
    assert session.connections == 0


@pytest.fixture
def static(compile_program: Programs, tmp_path: Path) -> Path:
    """A static program, at a path of this test's own: notices come once for each path."""
    made = compile_program("static", "-static", "-nostdlib", "-ffreestanding")
    return Path(shutil.copy(made, tmp_path / "static"))


def test_static_child_is_named_once_and_runs(session: Session, static: Path) -> None:
    done = session.run("bash", "-c", f"{static} one; {static} two; exec {static} three")

    assert done.stdout == b"one ran\ntwo ran\nthree ran\n"
    assert done.stderr == b"notice: STATIC %s\n" % os.fsencode(static)


def test_script_is_judged_by_its_interpreter(session: Session, static: Path, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{static} argument\n")
    script.chmod(0o755)
    done = session.run("bash", "-c", f"{script}; PATH={tmp_path}:$PATH; script")

    assert done.stdout == b"argument ran\n" * 2
    assert done.stderr == b"notice: STATIC %s\n" % os.fsencode(static)


def test_privileged_child_is_named(session: Session, compile_program: Programs, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a set-user-ID program of another user")
    program = Path(shutil.copy(compile_program("process"), tmp_path / "privileged"))
    os.chown(program, 1, 1)
    program.chmod(0o755 | stat.S_ISUID)
    done = session.run("bash", "-c", f"{program} child x; :")

    assert done.stderr == b"notice: PRIVILEGED %s\n" % os.fsencode(program)


def test_dynamic_children_raise_no_question(session: Session) -> None:
    session.run("bash", "-c", "/bin/true; sh -c 'ls / > /dev/null'")

    assert session.remote.questions("NOTICE") == []


def test_static_program_that_is_to_be_skipped_is_not_named(
    static: Path, truth: Path, tmp_path: Path, library: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with scripted_session(truth, scratch, library, names=[b"static"]) as session:
        done = session.run("bash", "-c", f"{static}; :")

    assert done.stderr == b""


def test_start_without_the_session(session: Session, static: Path) -> None:
    """A session that is gone takes nothing from programs that don't need it."""
    session.die()
    done = session.run("bash", "-c", f"{static} one; ls / > /dev/null; echo two")

    assert (done.stdout, done.stderr) == (b"one ran\ntwo\n", b"")

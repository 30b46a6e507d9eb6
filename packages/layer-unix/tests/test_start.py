"""The layer's start in a new image: active, inert, refused; what it does before its own constructor."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from layer_programs import Programs, need
from layer_session import Session, scripted_session
from mirrord_layer_unix import build

pytestmark = pytest.mark.programs


@pytest.mark.parametrize("compiler", ["zig", "musl-gcc"])
def test_active(session: Session, compile_program: Programs, compiler: str) -> None:
    need("musl-gcc" if compiler == "musl-gcc" else "env")
    program = compile_program("start", compiler=compiler, output=f"start-{compiler}")

    assert session.run(program).stdout == b"active\n"
    assert session.asked == []


@pytest.mark.parametrize("variable", [{}, {"MIRRORD_LAYER": ""}], ids=["absent", "empty"])
def test_inert_without_the_variable(library: Path, compile_program: Programs, variable: dict[str, str]) -> None:
    environment = {"LD_PRELOAD": str(library), **variable}
    done = subprocess.run([compile_program("start")], env=environment, capture_output=True, check=True, timeout=60)

    assert (done.stdout, done.stderr) == (b"no link\n", b"")


@pytest.mark.parametrize(
    "change",
    ["2:", "x:", "1", "1:950", "1:950:5:951:6:", "1:950:5:951:6", "1::5:951:6:name", "1:99999999999:5:951:6:name",
     "1:950:99999999999999999999:951:6:name", "1:950:5:951:6:" + 200 * "n"],
)  # fmt: skip
def test_variable_of_another_abi_or_damaged_ends_the_program(
    session: Session, compile_program: Programs, change: str
) -> None:
    variable = session.variable.replace("1:", "2:", 1) if change == "2:" else change
    done = session.run(compile_program("start"), env={"MIRRORD_LAYER": variable}, check=False)

    assert (done.returncode, done.stdout) == (70, b"")
    assert done.stderr.startswith(b"mirrord: ")
    assert b"mirrord exec" in done.stderr


def test_dont_load(session: Session, compile_program: Programs) -> None:
    done = session.run(compile_program("start"), env={"MIRRORD_DONT_LOAD": "1"}, check=False)

    assert (done.returncode, done.stdout) == (70, b"")
    assert b"MIRRORD_DONT_LOAD" in done.stderr


def test_skipped_programs_are_inert(truth: Path, tmp_path: Path, library: Path, compile_program: Programs) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    program = compile_program("start")
    (tmp_path / "other").symlink_to(program)
    with scripted_session(truth, scratch, library, names=[b"make", b"alias", b"other"]) as session:
        assert session.run(program).stdout == b"active\n"
        assert session.run(str(tmp_path / "other")).stdout == b"inert\n"
        assert session.run("bash", "-c", f"exec -a some/where/alias {program}").stdout == b"inert\n"
    with scripted_session(truth, scratch, library, names=[b"start"]) as session:
        assert session.run("bash", "-c", f"exec -a alias {program}").stdout == b"inert\n"


def test_libc_behind_many_libraries(session: Session, compile_program: Programs, tmp_path: Path) -> None:
    first = compile_program("library", "-shared", "-fPIC", output="liblibrary.so")
    names = [f"library{number}" for number in range(100)]
    for name in names:
        shutil.copy(first, tmp_path / f"lib{name}.so")
    linked = ["-Wl,--no-as-needed", f"-L{tmp_path}", f"-Wl,-rpath,{tmp_path}", *(f"-l{name}" for name in names)]
    program = compile_program("start", *linked, output="start-of-many")

    assert session.run(program).stdout == b"active\n"


def test_lost_table_is_asked_for(session: Session, compile_program: Programs) -> None:
    command = [compile_program("start")]
    done = subprocess.run(
        command, env=session.environ(), pass_fds=(session.link_fd,), stdout=subprocess.PIPE, check=True, timeout=60
    )

    assert done.stdout == b"active\n"
    assert session.asked == [("TABLE", b"")]


def test_lost_link_and_table(session: Session, compile_program: Programs, truth: Path) -> None:
    """A program that was started with both closed finds the session by its name."""
    program = subprocess.run(
        [compile_program("start")], env=session.environ(), stdout=subprocess.PIPE, check=True, timeout=60
    )

    assert program.stdout == b"no link\n"
    assert session.asked == [("TABLE", b"")]
    assert session.connections == 1


def test_closed_standard_streams(session: Session, compile_program: Programs) -> None:
    program = compile_program("start")
    layer = f"LD_PRELOAD={session.library} MIRRORD_LAYER={session.variable}"
    subprocess.run(["sh", "-c", f"exec env {layer} {program} streams <&- >&- 2>&-"], check=True, timeout=60)

    assert session.connections == 1


def test_calls_before_the_layer_is_relocated(session: Session, compile_program: Programs, truth: Path) -> None:
    need("gcc")
    library = compile_program("ifunc", "-shared", "-fPIC", compiler="gcc", output="libifunc.so")
    for binding in ("lazy", "now"):
        flags = [library, f"-Wl,-rpath,{os.path.dirname(library)}", f"-Wl,-z,{binding}"]
        program = compile_program("uses_ifunc", *flags, compiler="gcc", output=f"uses_ifunc-{binding}")
        subprocess.run([program], check=True, timeout=60)
        session.run(program)


def test_our_lookup_finds_what_dlsym_finds(compile_program: Programs) -> None:
    units = [*build.includes(), *map(str, build.layer_sources())]
    subprocess.run([compile_program("inner_symbols", *units)], check=True, timeout=60)

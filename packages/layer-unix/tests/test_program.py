"""Programs on this machine and made by hand, as `inspect_program` names them."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from layer_programs import Programs, need
from mirrord_layer_unix import Program, inspect_program
from test_elf import GO_NOTE, LOADER, PT_INTERP, PT_LOAD, PT_NOTE, elf


def test_interpreter_of_these_tests() -> None:
    found = inspect_program(sys.executable)

    assert (found.kind, found.libc) == ("dynamic", "glibc")
    assert found.interpreter is not None
    assert os.path.exists(found.interpreter)


def test_made_by_hand(tmp_path: Path) -> None:
    far = b"x" * 9000
    programs = {
        "static": (elf((PT_LOAD, b"x")), Program("static")),
        "go": (elf((PT_NOTE, GO_NOTE)), Program("go")),
        "far": (elf((PT_LOAD, far), (PT_NOTE, GO_NOTE)), Program("go")),
        "dynamic go": (elf((PT_INTERP, LOADER), (PT_NOTE, GO_NOTE)), Program("go", LOADER[:-1], "glibc")),
        "musl": (
            elf((PT_INTERP, b"/lib/ld-musl-x86_64.so.1\0")),
            Program("dynamic", b"/lib/ld-musl-x86_64.so.1", "musl"),
        ),
        "arm": (elf((PT_INTERP, LOADER), machine=183), Program("foreign")),
        "script": (b"#!/bin/sh -e\n", Program("script", b"/bin/sh")),
        "text": (b"hello", Program("foreign")),
        "nothing": (b"", Program("foreign")),
    }
    for name, (content, expected) in programs.items():
        (tmp_path / name).write_bytes(content)

        assert inspect_program(str(tmp_path / name)) == expected, name


def test_static_program(compile_program: Programs) -> None:
    program = compile_program("static", "-static", "-nostdlib", "-ffreestanding")

    assert inspect_program(program) == Program("static")


def test_musl_program(compile_program: Programs) -> None:
    need("musl-gcc")

    assert inspect_program(compile_program("start", compiler="musl-gcc", output="start-musl")).libc == "musl"


def test_privileged(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(elf((PT_INTERP, LOADER)))
    program.chmod(0o755 | stat.S_ISUID)

    assert inspect_program(program.as_posix()).kind == "dynamic"  # it would change nothing: it is ours
    if os.getuid() != 0:
        pytest.skip("only root can make a program another user's")
    os.chown(program, 1, 1)
    program.chmod(0o755 | stat.S_ISUID)
    assert inspect_program(program.as_posix()).kind == "privileged"


def test_missing_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        inspect_program(str(tmp_path / "none"))
    with pytest.raises(IsADirectoryError):
        inspect_program(str(tmp_path))

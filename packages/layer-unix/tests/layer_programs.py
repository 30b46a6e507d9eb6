"""Compiles the C programs of tests/programs, and says what a test needs from the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from layer_session import Session
from mirrord_layer_unix import build

HERE = Path(__file__).parent
FLAGS = ("-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror")

Both = Callable[..., None]
"""Runs a program on the plain system, then under the layer."""


def need(program: str) -> None:
    """Skip the test for want of a program; fail it where everything is expected to be there."""
    if not shutil.which(program):
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"{program} is missing")


class Programs:
    """Compiled programs in a folder; each is compiled once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, *extra: str, compiler: str = "zig", output: str | None = None) -> str:
        """Compile tests/programs/NAME.c with these further arguments; `output` names the result if it isn't NAME."""
        made = self.folder / (output or name)
        if not made.exists():
            command = [build.zig()[0], "cc"] if compiler == "zig" else [compiler]
            source = HERE / "programs" / f"{name}.c"
            subprocess.run([*command, *FLAGS, "-o", str(made), str(source), "-pthread", *extra], check=True)
        return str(made)


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs test programs twice: on the plain system with the real directory, under the layer with the remote one."""

    compiled: Programs
    session: Session
    truth: Path
    folder: Path
    compiler: str = "zig"

    def __call__(self, name: str, *arguments: str) -> None:
        """Run a program; both runs must end with 0, since the program asserts."""
        program = self.compiled(name, compiler=self.compiler, output=f"{name}-{self.compiler}")
        command = [program, str(self.truth), *arguments]
        plain = subprocess.run(command, cwd=self.folder, capture_output=True, timeout=60, check=False)
        assert plain.returncode == 0, f"a wrong test: {name} fails on the plain system\n{plain.stderr.decode()}"
        self.session.run(program, self.session.path().rstrip("/"), *arguments, cwd=self.folder)


def sanitize(session: Session) -> None:
    """Let a session's programs run under the layer that has ASan and UBSan in it."""
    need("gcc")
    build.build(sanitize=True)
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    # The sanitizer wants to be the first library. Leaks are the program's business: the layer never allocates.
    session.preload = [os.path.realpath(runtime.stdout.strip())]
    session.library = build.SCRATCH / "sanitized" / build.LIBRARY
    session.environment["ASAN_OPTIONS"] = "detect_leaks=0:verify_asan_link_order=0"

"""Runs programs under `mirrord exec` and sees to it that nothing of a run is left.

What a run started is recognised by a variable of its environment, which sessions, agents and programs inherit.
The truth to compare with comes from the same program run plainly: see `plainly`.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kit.target import Target

PYTHON = os.path.realpath(sys.executable)
"""The interpreter itself, not a virtual environment's: what a developer's program would run on."""

MARK = "MIRRORD_TEST_RUN"
PATIENCE = 30.0
"""Seconds after which whatever should have ended counts as left over."""


def processes(mark: str) -> dict[int, str]:
    """The processes whose environment holds the mark, with their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (
                        (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    )
            except OSError:
                continue  # it ended, or isn't ours
    return found


def wait_gone(pid: int, seconds: float = PATIENCE) -> bool:
    """Wait until a process has ended; whether it has."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs `mirrord` with an environment and a folder of its own."""

    folder: Path
    command: tuple[str, ...] = (sys.executable, "-P", "-m", "mirrord_cli")
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The developer's environment: nothing of the tests' own is in it but the mark."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "ASAN_OPTIONS") if name in os.environ}
        return kept | {"HOME": str(home), MARK: self.mark} | dict(extra or {})

    def arguments(self, target: Target | str | None, program: Sequence[str], options: Sequence[str] = ()) -> list[str]:
        """The whole command line of an `exec`."""
        chosen = ["-t", target if isinstance(target, str) else target.name] if target else []
        return [*self.command, "exec", *chosen, *options, "--", *program]

    def exec(
        self,
        target: Target | str | None,
        *program: str,
        options: Sequence[str] = ("-q",),
        env: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program under `mirrord exec` to its end."""
        return self.run(self.arguments(target, program, options), env=env, **rest)

    def plainly(self, target: Target, *program: str, env: Mapping[str, str] | None = None) -> str:
        """What a program prints without mirrord, with ROOT leading into the target's own root."""
        done = self.run(program, env={"ROOT": str(target.path(""))} | dict(env or {}))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, **rest: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run any command in the run's folder and environment."""
        settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, "cwd": self.folder}
        if "input" not in rest and "stdin" not in rest:
            settings["stdin"] = subprocess.DEVNULL
        return subprocess.run(list(command), env=self.environment(env), check=False, **(settings | rest))

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, **rest: Any
    ) -> subprocess.Popen[bytes]:
        """Start any command in the run's folder and environment."""
        settings: dict[str, Any] = {"cwd": self.folder} | rest
        process: subprocess.Popen[bytes] = subprocess.Popen(list(command), env=self.environment(env), **settings)
        return process

    def copy(self, program: Path) -> str:
        """Copy a program into the run's folder, for runtimes that look at each folder above it; its path."""
        return str(shutil.copy(program, self.folder))

    def leftovers(self) -> list[str]:
        """What is still there of all runs: processes that don't end, and their sockets."""
        left = [f"{pid}: {line}" for pid, line in processes(self.mark).items() if not wait_gone(pid)]
        return left + [str(path) for path in self.folder.glob("**/mirrord-*")]


@contextmanager
def new_runner(folder: Path, command: Sequence[str] = ()) -> Iterator[Runner]:
    """A runner whose runs must leave nothing."""
    runner = Runner(folder, tuple(command)) if command else Runner(folder)
    yield runner
    assert runner.leftovers() == []


def required(name: str) -> str:
    """The path of a program of the machine's own; without it the test is skipped, or fails where `CI` is set."""
    import pytest  # this module is the demo's too

    path = which(name)
    if path is None and os.environ.get("CI"):
        pytest.fail(f"{name} is missing, and CI is set")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def which(name: str) -> str | None:
    """A program of the machine's own, whatever the tests' environment puts in front."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/bin:/bin:/usr/sbin:/sbin")

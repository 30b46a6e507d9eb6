"""Processes are killed, stopped and cut off at random moments under load: programs get EIO or right bytes, nothing stays.

What goes wrong in a way that can be named has a test of its own in test_bad_input.py. Here a seed decides whom it hits
and when; the moment is counted in the program's rounds of work, so that no clock is needed.
"""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from tests.kit.run import PATIENCE, PYTHON, Runner
from tests.kit.running import Running, kill
from tests.kit.target import Target, TargetUnavailable, start_target

pytestmark = [pytest.mark.journey, pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"
LOAD = (PROGRAMS / "load.py").read_text()
SIZE = 5_000_000
LARGE = b"".join((number + 1).to_bytes(4, "big") for number in range(SIZE // 4))
ROUND = b"round\n"


class Targets:
    """A target that is started anew once it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack, self._started = folder, ExitStack(), 0
        self._now: Target | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def get(self) -> Target:
        """The living one."""
        if self._now is None:
            self._started += 1
            root = self._folder / str(self._started)
            root.mkdir()
            target = self._now = self._stack.enter_context(start_target(root=root))
            for number in range(50):
                target.write(f"/srv/small/{number}", b"small %d\n" % number)
            for number in range(4):
                target.write(f"/srv/large/{number}", LARGE)
        return self._now

    def kill(self) -> None:
        """End it as a crash would."""
        if self._now:
            os.kill(self._now.pid, signal.SIGKILL)
            self._now = None


@pytest.fixture
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    """Targets with the files that programs/load.py expects."""
    with Targets(tmp_path_factory.mktemp("roots")) as targets:
        try:
            targets.get()
        except TargetUnavailable as error:
            pytest.skip(f"no namespaces for a target on this machine: {error}")
        yield targets


def start(runner: Runner, target: Target, seed: int, rounds: int, **env: str) -> Running:
    """Start a program and wait for its first rounds of work."""
    temporary = runner.folder / "temporary"
    temporary.mkdir(exist_ok=True)
    program = runner.start(
        runner.arguments(target, [PYTHON, "-c", LOAD, str(seed), str(SIZE)], ["-q"]),
        env={"TMPDIR": str(temporary), **env},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout
    for _ in range(rounds):
        assert program.stdout.readline() == ROUND, program.stderr and program.stderr.read()
    return Running.find(runner, program)


def finish(runner: Runner, running: Running, expected: int) -> None:
    """See the program end as it should, and nothing left of it."""
    try:
        out, err = running.program.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        running.program.kill()
        running.program.communicate()
        pytest.fail("the program hangs")
    assert (running.program.returncode, err) == (expected, b"")
    if expected == 0:
        assert out.splitlines()[-1:] == [b"wrong: []"]
    assert runner.leftovers() == []
    assert list((runner.folder / "temporary").iterdir()) == []
    assert running.name not in Path("/proc/net/unix").read_text()


HITS: dict[str, Callable[[Running, Targets], None]] = {
    "program": lambda running, _: kill(running.program.pid),
    "session": lambda running, _: kill(running.session),
    "agent": lambda running, _: kill(running.agent),
    "target": lambda _, targets: targets.kill(),
    "connection": lambda running, _: running.cut(),
    "session asked to end": lambda running, _: os.kill(running.session, signal.SIGTERM),
    "nothing": lambda _running, _targets: None,
}


@pytest.mark.parametrize("seed", range(3))
def test_hit_at_random(runner: Runner, targets: Targets, seed: int) -> None:
    random_ = random.Random(seed)
    for whom in random_.sample(sorted(HITS), len(HITS)):
        rounds = random_.choice((1, random_.randrange(1, 300)))
        print(f"seed {seed}: {whom} after {rounds} rounds", flush=True)
        running = start(runner, targets.get(), seed, rounds)
        HITS[whom](running, targets)
        finish(runner, running, -signal.SIGKILL if whom == "program" else 0)


def test_agent_that_falls_silent(runner: Runner, targets: Targets) -> None:
    """It neither answers nor ends: the lease ends the waiting, and the session ends the agent."""
    command = shlex.join([sys.executable, "-P", str(PROGRAMS / "impatient.py")])
    running = start(runner, targets.get(), 7, 20, MIRRORD_AGENT_COMMAND=command)

    os.kill(running.agent, signal.SIGSTOP)

    finish(runner, running, 0)


def test_whole_job_that_is_stopped(runner: Runner, targets: Targets) -> None:
    """All of it, the session and the agent too, as a laptop's sleep does; it goes on as if nothing had been."""
    running = start(runner, targets.get(), 8, 20)
    everyone = (running.program.pid, running.session, running.agent)

    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in everyone:
            os.kill(pid, number)

    finish(runner, running, 0)

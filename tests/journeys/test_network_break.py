"""Processes are killed and cut off under the network's load: connections end rightly, rules go, the target serves again.

As in test_break.py a seed decides whom it hits and when. `MIRRORD_BREAK_SECONDS` says how long the random killer runs.
"""

from __future__ import annotations

import itertools
import os
import random
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from tests.kit.around import Around, start_around
from tests.kit.network import PEER, TARGET, Control
from tests.kit.run import PATIENCE, PYTHON, Runner
from tests.kit.running import Running, kill
from tests.kit.serving import free_port, get, request
from tests.kit.target import TargetUnavailable

pytestmark = [pytest.mark.journey, pytest.mark.slow]
PROGRAMS = Path(__file__).parent / "programs"
ROUND = b"round\n"
GRACE = 5.0
"""Seconds within which rules are gone, and the target serves again."""
SECONDS = float(os.environ.get("MIRRORD_BREAK_SECONDS", "60"))


class Arounds:
    """A target with its network, started anew once it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack, self._started = folder, ExitStack(), 0
        self._now: tuple[Around, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def get(self) -> tuple[Around, int]:
        """The living one, and the port that it serves."""
        if self._now is None:
            self._started += 1
            root = self._folder / str(self._started)
            root.mkdir()
            around, port = self._stack.enter_context(start_around(root=root)), free_port()
            around.target.listen(port)
            self._now = around, port
        return self._now

    def kill(self) -> None:
        """End it as a crash would."""
        if self._now:
            kill(self._now[0].target.pid)
            self._now = None


@pytest.fixture
def arounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arounds]:
    """Targets as programs/network_load.py expects."""
    with Arounds(tmp_path_factory.mktemp("roots")) as arounds:
        try:
            arounds.get()
        except TargetUnavailable as error:
            pytest.skip(f"no namespaces for a target on this machine: {error}")
        yield arounds


class Clients:
    """Ask the target's port all the time, from outside and from inside, until the block ends."""

    def __init__(self, around: Around, port: int) -> None:
        self.answers: Counter[str] = Counter()
        self._ended = threading.Event()
        ways: tuple[tuple[Control, str], ...] = ((around.target.peer, TARGET), (around.target.inside, "127.0.0.1"))
        self._threads = [threading.Thread(target=self._ask, args=(*way, port)) for way in ways]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, control: Control, host: str, port: int) -> None:
        while not self._ended.is_set():
            try:
                with control.connect((host, port)) as sock:
                    for _ in range(5):
                        self.answers[request(sock).partition(",")[0].strip()] += 1
            except OSError as error:
                self.answers[type(error).__name__] += 1


ANSWERS = {
    "program", "target", "ConnectionResetError", "BrokenPipeError", "ConnectionAbortedError",
    "ConnectionRefusedError",  # of an agent that is being killed, the kernel closes the listener before the rules
}  # fmt: skip


def start(runner: Runner, around: Around, port: int, seed: int, rounds: int, **env: str) -> Running:
    """Start a program and wait for its first rounds of work."""
    command = [PYTHON, str(PROGRAMS / "network_load.py"), str(seed), str(port), PEER]
    program = runner.start(
        runner.arguments(around.target, command, ["-q", "--steal"]),
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout
    assert program.stdout.readline() == b"listening\n", program.stderr and program.stderr.read()
    running = Running.find(runner, program)
    for _ in range(rounds):
        assert program.stdout.readline() == ROUND, program.stderr and program.stderr.read()
    return running


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Look until it is so, for at most GRACE seconds."""
    end = time.monotonic() + GRACE
    while not true():
        assert time.monotonic() < end, what


def finish(runner: Runner, around: Around, running: Running, expected: int) -> None:
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
    assert running.name not in Path("/proc/net/unix").read_text()
    assert around.target.rules() == ""


HITS: dict[str, Callable[[Running, Arounds], None]] = {
    "program": lambda running, _: kill(running.program.pid),
    "session": lambda running, _: kill(running.session),
    "agent": lambda running, _: kill(running.agent),
    "target": lambda _, arounds: arounds.kill(),
    "connection": lambda running, _: running.cut(),
    "session asked to end": lambda running, _: os.kill(running.session, signal.SIGTERM),
    "nothing": lambda _running, _arounds: None,
}


def hit(runner: Runner, arounds: Arounds, whom: str, seed: int, rounds: int) -> None:
    """One program under load, one hit, and everything as it was before."""
    around, port = arounds.get()
    running = start(runner, around, port, seed, rounds)
    with Clients(around, port) as clients:
        wait_until(lambda: clients.answers["program"] > 0, "the program serves")
        HITS[whom](running, arounds)
        if whom != "nothing":
            wait_until(lambda: around.target.rules() == "", "rules are left")
        if whom not in {"nothing", "target"}:
            before = clients.answers["target"]
            wait_until(lambda: clients.answers["target"] > before, "the target doesn't serve")
        finish(runner, around, running, -signal.SIGKILL if whom == "program" else 0)
        if whom == "nothing":
            wait_until(lambda: get(around.target.peer, port).startswith("target"), "the target doesn't serve")
    assert set(clients.answers) <= ANSWERS, clients.answers


@pytest.mark.parametrize("whom", sorted(HITS))
def test_hit(runner: Runner, arounds: Arounds, whom: str) -> None:
    hit(runner, arounds, whom, 1, 30)


@pytest.mark.timeout(SECONDS + 120)
def test_hit_at_random(runner: Runner, arounds: Arounds) -> None:
    """For a minute, or as long as the variable says."""
    end = time.monotonic() + SECONDS
    seed = random.randrange(1_000_000) if "MIRRORD_BREAK_SECONDS" in os.environ else 0
    for number in itertools.count(seed):
        random_ = random.Random(number)
        whom, rounds = random_.choice(sorted(HITS)), random_.choice((1, random_.randrange(1, 150)))
        print(f"seed {number}: {whom} after {rounds} rounds", flush=True)
        hit(runner, arounds, whom, number, rounds)
        if time.monotonic() > end:
            return


def test_kernel_removes_the_rules_of_a_killed_agent(runner: Runner, arounds: Arounds) -> None:
    """At once: not by anybody's doing."""
    around, port = arounds.get()
    running = start(runner, around, port, 3, 5)
    assert f"mirrord_{port}" in around.target.rules()
    os.kill(running.session, signal.SIGSTOP)

    kill(running.agent)

    wait_until(lambda: around.target.rules() == "", "rules are left")
    assert get(around.target.peer, port).startswith("target")
    os.kill(running.session, signal.SIGCONT)
    finish(runner, around, running, 0)


def test_agent_that_falls_silent(runner: Runner, arounds: Arounds) -> None:
    """It neither answers nor ends: the lease ends the waiting, and the session ends the agent."""
    around, port = arounds.get()
    command = shlex.join([sys.executable, "-P", str(PROGRAMS / "impatient.py")])
    running = start(runner, around, port, 7, 20, MIRRORD_AGENT_COMMAND=command)

    os.kill(running.agent, signal.SIGSTOP)

    finish(runner, around, running, 0)
    assert get(around.target.peer, port).startswith("target")


def test_session_that_falls_silent(runner: Runner, arounds: Arounds) -> None:
    """The agent frees the port within the lease, while the session is there but says nothing."""
    around, port = arounds.get()
    command = shlex.join([sys.executable, "-P", str(PROGRAMS / "impatient.py")])
    running = start(runner, around, port, 8, 20, MIRRORD_AGENT_COMMAND=command)

    os.kill(running.session, signal.SIGSTOP)

    wait_until(lambda: around.target.rules() == "", "rules are left")
    assert get(around.target.peer, port).startswith("target")
    os.kill(running.session, signal.SIGCONT)
    finish(runner, around, running, 0)

"""To the shell and the terminal a program under mirrord is the program: exit codes, signals, groups, pipes, waiting."""

from __future__ import annotations

import os
import pty
import select
import shlex
import signal
import subprocess

import pytest

from tests.kit.run import PYTHON, Runner
from tests.kit.target import Target

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_code(runner: Runner, target: Target, code: int) -> None:
    assert runner.exec(target, "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGABRT"])
def test_death_by_signal(runner: Runner, target: Target, name: str) -> None:
    done = runner.exec(target, PYTHON, "-c", f"import os, signal; os.kill(os.getpid(), signal.{name})")

    assert done.returncode == -getattr(signal, name)


def started(runner: Runner, target: Target, *program: str) -> subprocess.Popen[bytes]:
    """A program that has printed its first line, which is `ready`."""
    process = runner.start(runner.arguments(target, program, ["-q"]), stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def test_signals_reach_the_program_by_the_pid_that_was_started(runner: Runner, target: Target) -> None:
    handler = "import signal, sys; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(9)); print('ready', flush=True); signal.pause()"
    with started(runner, target, PYTHON, "-c", handler) as process:
        process.send_signal(signal.SIGUSR1)

        assert process.wait(30) == 9


def test_pid_group_and_session_are_the_starters(runner: Runner, target: Target) -> None:
    program = "import os; print('ready'); print(os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0))"
    with started(runner, target, PYTHON, "-c", program) as process:
        assert process.stdout
        pid, parent, group, session = map(int, process.stdout.read().split())

    assert (pid, parent) == (process.pid, os.getpid())
    assert (group, session) == (os.getpgrp(), os.getsid(0))


def test_a_program_that_waits_for_children_finds_none(runner: Runner, target: Target) -> None:
    program = "import os\ntry:\n    os.wait()\nexcept ChildProcessError:\n    print('none')"

    assert runner.exec(target, PYTHON, "-c", program).stdout == "none\n"


def test_command_substitution_ends_with_the_program(runner: Runner, target: Target) -> None:
    command = shlex.join(runner.arguments(target, ["cat", "/srv/shop/config.json"], ["-q"]))

    done = runner.run(["bash", "-c", f'x=$({command}); echo "[$x]"'], timeout=30)

    assert done.stdout == '[{"greeting": "Good morning"}]\n'


def test_pipeline_through_it(runner: Runner, target: Target) -> None:
    command = shlex.join(runner.arguments(target, ["sort", "-r", "-", "/srv/shop/tree/a/side.txt"], ["-q"]))

    assert runner.run(["bash", "-c", f"printf 'a\\nz\\n' | {command} | head -n 2"]).stdout == "z\nside\n"


def test_descriptors_of_the_program_are_those_it_was_given(runner: Runner, target: Target) -> None:
    """Nothing below the high numbers that the layer keeps is there but what the starter opened."""
    program = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd') if int(n) < 100))"
    plain = runner.run([PYTHON, "-c", program]).stdout

    assert runner.exec(target, PYTHON, "-c", program).stdout == plain


def test_closed_standard_streams_stay_closed(runner: Runner, target: Target) -> None:
    command = shlex.join(runner.arguments(target, ["sh", "-c", "cat /srv/shop/config.json >&2"], ["-q"]))

    done = runner.run(["bash", "-c", f"{command} <&- >&-"])

    assert done.stderr == '{"greeting": "Good morning"}\n'


def test_terminal(runner: Runner, target: Target) -> None:
    """The program owns the terminal: it is one, has its size, and an interrupt typed there arrives."""
    program = (
        "import os, signal, sys; assert all(map(os.isatty, (0, 1, 2))); assert os.tcgetpgrp(0) == os.getpgrp();"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(5)); print(os.get_terminal_size(), 'ready', flush=True); signal.pause()"
    )
    command = runner.arguments(target, [PYTHON, "-c", program], ["-q"])
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(runner.folder)
        os.execvpe(command[0], command, runner.environment())
    said = b""
    while b"ready" not in said:
        assert select.select([master], [], [], 30)[0], said
        said += os.read(master, 1024)
    os.write(master, b"\x03")

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    os.close(master)


def test_job_control_stop_and_continue(runner: Runner, target: Target) -> None:
    with started(
        runner,
        target,
        PYTHON,
        "-c",
        "print('ready', flush=True); print(open('/srv/shop/tree/a/side.txt').read(), input())",
    ) as process:
        process.send_signal(signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(b"more\n", 30)

    assert out == b"side\n more\n"


def test_many_at_once(runner: Runner, target: Target) -> None:
    processes = [
        runner.start(runner.arguments(target, ["cat", f"/srv/shop/orders/00{n}.txt"], ["-q"]), stdout=subprocess.PIPE)
        for n in range(4)
    ]

    assert [process.communicate(timeout=60)[0] for process in processes] == [f"order {n}\n".encode() for n in range(4)]

"""Python sees the target's files through every call that its programs use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.run import PYTHON, Runner
from tests.kit.target import Target

pytestmark = pytest.mark.journey
CALLS = str(Path(__file__).parent / "programs" / "calls.py")


def answers(text: str) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in text.splitlines())


def test_every_call_gives_what_is_there(runner: Runner, target: Target) -> None:
    truth = answers(runner.plainly(target, PYTHON, CALLS))

    seen = runner.exec(target, PYTHON, CALLS)

    assert seen.stderr == ""
    assert seen.returncode == 0
    assert answers(seen.stdout) == truth


def test_a_virtual_environment_runs_too(runner: Runner, target: Target) -> None:
    """The interpreter of an environment below the working directory, as developers have it."""
    runner.run([PYTHON, "-m", "venv", "--without-pip", "--symlinks", ".venv"]).check_returncode()

    seen = runner.exec(
        target, ".venv/bin/python", "-c", "import json, sys; print(open('/srv/shop/config.json').read(), sys.prefix)"
    )

    assert seen.stderr == ""
    assert seen.stdout == f'{{"greeting": "Good morning"}}\n {runner.folder}/.venv\n'


def test_import_of_a_remote_package(runner: Runner, own_target: Target) -> None:
    for number in range(20):
        own_target.write(f"/srv/app/parts/part{number}.txt", str(number))
    program = "import pathlib; print(sum(int(path.read_text()) for path in pathlib.Path('/srv/app/parts').iterdir()))"

    assert runner.exec(own_target, PYTHON, "-c", program).stdout == "190\n"


def test_what_it_writes_lands_here(runner: Runner, target: Target) -> None:
    program = "import sys; open(sys.argv[1], 'w').write(open('/srv/shop/config.json').read())"
    copy = runner.folder / "copy.json"

    done = runner.exec(target, PYTHON, "-c", program, str(copy))

    assert done.returncode == 0, done.stderr
    assert copy.read_text() == '{"greeting": "Good morning"}\n'


def test_a_remote_file_is_not_written(runner: Runner, target: Target) -> None:
    """A path that is there but not here is opened for writing here, where its folder isn't."""
    done = runner.exec(target, PYTHON, "-c", "open('/srv/shop/config.json', 'a')")

    assert "FileNotFoundError" in done.stderr
    assert done.returncode == 1


def test_streams_are_the_developers(runner: Runner, target: Target) -> None:
    done = runner.exec(
        target, PYTHON, "-c", "import sys; sys.stderr.write('E'); print(sys.stdin.read()[::-1])", input="abc"
    )

    assert (done.stdout, done.stderr, done.returncode) == ("cba\n", "E", 0)

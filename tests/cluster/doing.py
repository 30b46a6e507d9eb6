"""Small things that all drivers here do: run a program, wait for something, tell whoever waits."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BEGAN = time.monotonic()


class Failed(Exception):
    """Something didn't work; the text is for whoever called the command."""


def say(text: str) -> None:
    """Tell whoever waits what is being done, and how many seconds have gone."""
    print(f"{time.monotonic() - BEGAN:5.1f}s  {text}", flush=True)


def run(*command: str, given: str | None = None) -> str:
    """Run a program to its end and return its standard output; Failed if it fails."""
    done = attempt(*command, given=given)
    if done.returncode:
        raise Failed(f"{done.stdout}{done.stderr}{' '.join(command[:3])} … failed (exit code {done.returncode})")
    return done.stdout


def attempt(*command: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; whoever calls looks at how it ended."""
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def wait_until(condition: Callable[[], bool], seconds: float, failure: Callable[[], str]) -> None:
    """Wait for a condition; Failed, with what `failure` says, if it doesn't come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(failure())
        time.sleep(0.05)


@contextmanager
def once(mark: Path, key: str) -> Iterator[bool]:
    """Yield whether something must be made, and mark it as made with this key when that is done without an exception."""
    made = mark.exists() and mark.read_text() == key
    if not made:
        mark.unlink(missing_ok=True)
    yield not made
    if not made:
        mark.write_text(key)

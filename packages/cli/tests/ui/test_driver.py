"""Writing on standard error: quiet, colours, and what takes long."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys

import pytest

from mirrord_cli.errors import MirrordError
from mirrord_cli.session.settings import NetworkRules
from mirrord_cli.ui.driver import PATIENCE, Screen
from mirrord_cli.ui.lines import Summary

SUMMARY = Summary(target="process/1", variables=1, mode="read", network=NetworkRules(), log=None)


def test_a_quiet_screen_shows_errors_only(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen({}, quiet=True)
    screen.summary(SUMMARY)
    screen.warning("warning")
    with screen.waiting("waiting"):
        screen.progress("progress")
    assert capfd.readouterr().err == ""

    screen.error(MirrordError("you", "text", "next"))
    assert capfd.readouterr().err == "mirrord: text\n         next\n"


def test_nothing_goes_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen({})
    screen.summary(SUMMARY)
    screen.warning("careful")

    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("  target       process/1\n")
    assert err.endswith("mirrord: careful\n")


def test_what_is_quick_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGALRM)
    screen = Screen({})
    with screen.waiting("starting"):
        screen.progress("more")
    screen.progress("late")

    assert capfd.readouterr().err == ""
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_what_takes_long_is_shown_and_what_comes_then(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen({})
    told, tells = socket.socketpair()
    tells.setblocking(False)
    before = signal.set_wakeup_fd(tells.fileno())
    try:
        with screen.waiting("starting"):
            screen.progress("reaching the target")
            told.settimeout(PATIENCE * 20)
            assert told.recv(1) == bytes([signal.SIGALRM])
            screen.progress("reading its environment")
    finally:
        signal.set_wakeup_fd(before)
        told.close()
        tells.close()

    lines = [re.fullmatch(r"  +[0-9]+\.[0-9] s  (.*) \.\.\.", line) for line in capfd.readouterr().err.splitlines()]
    assert [line and line[1] for line in lines] == ["reaching the target", "reading its environment"]


def test_an_alarm_that_was_set_before_is_left_to_the_program() -> None:
    screen = Screen({})
    signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        with screen.waiting("starting"):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 900
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 900
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def on_a_terminal(variables: str) -> bytes:
    """What a screen writes to a terminal."""
    master, slave = pty.openpty()
    program = f"from mirrord_cli.ui.driver import Screen; Screen({variables}).warning('x')"
    subprocess.run([sys.executable, "-c", program], stderr=slave, check=True)
    os.close(slave)
    try:
        return os.read(master, 1000)
    finally:
        os.close(master)


def test_colours_on_terminals_that_want_them() -> None:
    assert b"\033[33m" in on_a_terminal("{'TERM': 'xterm'}")
    assert on_a_terminal("{'TERM': 'dumb'}") == b"mirrord: x\r\n"
    assert on_a_terminal("{'NO_COLOR': '1'}") == b"mirrord: x\r\n"


@pytest.mark.parametrize("closing", ["2>&-", "2</dev/null"])
def test_a_standard_error_that_cannot_be_written_is_no_error(closing: str) -> None:
    program = "from mirrord_cli.ui.driver import Screen; Screen({}).warning('x'); print('on')"

    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" {closing}', sys.executable, program], capture_output=True, check=True
    )

    assert done.stdout == b"on\n"

"""The words on standard error."""

from __future__ import annotations

from mirrord_cli.errors import MirrordError
from mirrord_cli.session.settings import IncomingMode, IncomingRules, NetworkRules
from mirrord_cli.ui.lines import Summary, error_lines, progress_line, summary_lines, warning_line

OFF = NetworkRules(names=False, tcp=False, udp=False, incoming=IncomingRules(mode=IncomingMode.OFF))
ALL = Summary(target="process/1 (shop)", variables=12, mode="read", network=OFF, log="/logs/1.log")


def test_summary() -> None:
    assert summary_lines(ALL, colour=False) == [
        "  target       process/1 (shop)",
        "  environment  12 variables from the target",
        "  files        read from the target; changes stay on this machine",
        "  names        resolved on this machine",
        "  outgoing     leaves from this machine",
        "  incoming     stays the target's",
        "  log          /logs/1.log",
    ]


def test_summary_of_what_stays_here() -> None:
    lines = summary_lines(
        Summary(target="process/1", variables=None, mode="local", network=OFF, log=None), colour=False
    )

    assert lines[1:3] == ["  environment  this machine's", "  files        this machine's"]


def test_an_agent_that_was_created() -> None:
    lines = summary_lines(
        Summary(target="pod/x", agent="a Job", variables=1, mode="local", network=OFF, log=None), colour=False
    )

    assert lines[:2] == ["  target       pod/x", "  agent        a Job"]


def test_what_is_waited_for() -> None:
    assert progress_line("pulling the image", 12.34, colour=False) == "  12.3 s  pulling the image ..."


def test_one_variable() -> None:
    lines = summary_lines(
        Summary(target="x", variables=1, mode="localwithoverrides", network=OFF, log=None), colour=False
    )

    assert lines[1] == "  environment  1 variable from the target"


def test_a_program_that_is_left_alone() -> None:
    lines = summary_lines(
        Summary(target="x", variables=1, mode="read", network=OFF, skipped="git", log=None), colour=False
    )

    (line,) = lines[2:]
    assert line.startswith("  skipped      git runs without mirrord, with this machine's files and network (")


def test_errors_say_the_cause_and_the_next_step() -> None:
    error = MirrordError("you", "One thing.\nAnother thing.", "Do this.\nOr that.")

    assert error_lines(error, colour=False) == [
        "mirrord: One thing.",
        "         Another thing.",
        "         Do this.",
        "         Or that.",
    ]


def test_an_error_without_words_is_still_a_line() -> None:
    assert error_lines(MirrordError("you", "", ""), colour=False) == ["mirrord: "]


def test_colours_only_where_asked_for() -> None:
    for lines in (
        summary_lines(ALL, colour=True),
        error_lines(MirrordError("you", "x", "y"), colour=True)[:1],
        [warning_line("x", colour=True), progress_line("x", 1, colour=True)],
    ):
        assert all("\033[" in line and "\033[0m" in line for line in lines)
    assert "\033" not in warning_line("x", colour=False) + progress_line("x", 1, colour=False)


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    assert warning_line("a\033[31m\rb\udcff é", colour=False) == "mirrord: a\\x1b[31m\\rb\udcff é"

"""The words and their layout: summary, errors, progress. Plain text in, lines out; colours only if asked for."""

from __future__ import annotations

from msgspec import Struct

from mirrord_cli.errors import MirrordError
from mirrord_cli.session.settings import NetworkRules
from mirrord_cli.ui.network import network_rows

FIRST = "mirrord: "
RED, YELLOW, BOLD, DIM, NORMAL = "\033[31m", "\033[33m", "\033[1m", "\033[2m", "\033[0m"
FILES = {
    "read": "read from {target}; changes stay on this machine",
    "localwithoverrides": "this machine's, but for the patterns of feature.fs",
    "local": "this machine's",
}


class Summary(Struct, frozen=True, kw_only=True):
    """What a person wants to know when the program starts."""

    target: str
    agent: str | None = None
    """What it is, where it had to be created."""
    variables: int | None
    """How many came from the target; None if none were asked for."""
    mode: str
    network: NetworkRules
    skipped: str | None = None
    """The program's name, where the layer leaves it alone."""
    log: str | None


def summary_lines(summary: Summary, *, colour: bool) -> list[str]:
    """Lay the summary out."""
    if summary.variables is None:
        environment = "this machine's"
    else:
        count = "1 variable" if summary.variables == 1 else f"{summary.variables} variables"
        environment = f"{count} from the target"
    rows = {"target": summary.target}
    if summary.agent:
        rows["agent"] = summary.agent
    rows["environment"] = environment
    if summary.skipped is None:
        rows["files"] = FILES[summary.mode].format(target="the target")
        rows |= network_rows(summary.network)
    else:
        rows["skipped"] = (
            f"{summary.skipped} runs without mirrord, with this machine's files and network (unlike what it starts)"
        )
    if summary.log:
        rows["log"] = summary.log
    return [f"  {_in(DIM, f'{name:<13}', colour=colour)}{_printable(text)}" for name, text in rows.items()]


def error_lines(error: MirrordError, *, colour: bool) -> list[str]:
    """Lay an error out: the cause, then what to do."""
    first, *more = error.text.splitlines() or [""]
    blank = " " * len(FIRST)
    lines = [_in(RED + BOLD, FIRST, colour=colour) + _printable(first)]
    return lines + [blank + _printable(line) for line in (*more, *error.next_step.splitlines())]


def warning_line(text: str, *, colour: bool) -> str:
    """Lay a warning out."""
    return _in(YELLOW, FIRST, colour=colour) + _printable(text)


def progress_line(text: str, seconds: float, *, colour: bool) -> str:
    """Lay out what is being waited for, and since when the whole is."""
    return _in(DIM, f"  {seconds:4.1f} s  {_printable(text)} ...", colour=colour)


def _in(code: str, text: str, *, colour: bool) -> str:
    return f"{code}{text}{NORMAL}" if colour else text


def _printable(text: str) -> str:
    """Return a text without what a terminal would obey: names of files and processes may hold anything."""
    return "".join(c if c.isprintable() or "\ud800" <= c <= "\udfff" else ascii(c)[1:-1] for c in text)

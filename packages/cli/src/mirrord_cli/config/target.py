"""The names of targets: `process/PID`. Whether there is such a process is for launch/ to see."""

from __future__ import annotations

import re

from mirrord_cli.config import known

EXAMPLE = "Name a process of this machine: process/PID, for instance process/4711."


class BadTarget(ValueError):
    """It names no target; says why."""


def parse_target(name: str) -> int:
    """Return the PID that a target's name means.

    Raises:
        BadTarget: It means none.
    """
    if not name:
        raise BadTarget("The target's name is empty")
    kind, slash, rest = name.partition("/")
    if kind != "process":
        if kind in known.TARGETS:
            raise BadTarget(f"The target {name!r} is not supported yet: only process/PID is")
        if name.isdecimal():
            raise BadTarget(f"The target {name!r} has no kind; did you mean process/{name}?")
        raise BadTarget(f"The target {name!r} is of no known kind")
    if not slash or not rest:
        raise BadTarget(f"The target {name!r} names no process")
    if not re.fullmatch(r"[1-9][0-9]*", rest):
        raise BadTarget(f"The target {name!r}: {rest!r} is no process's number")
    return int(rest)


def target_name(pid: int) -> str:
    """Return the name that parse_target would take."""
    return f"process/{pid}"

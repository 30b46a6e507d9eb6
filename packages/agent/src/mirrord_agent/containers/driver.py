"""Looks through /proc for a container's main process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mirrord_agent.containers.machine import Seen, main_process, not_found, other_first, within
from mirrord_agent.target.machine import parse_stat


def find_container(container: str) -> tuple[int, int]:
    """Return a container's main process, and when it was started, in clock ticks since boot.

    Args:
        container: Its id, 64 hexadecimal digits.

    Raises:
        TargetRefused: None of its processes is to be seen.
    """
    name = container.encode()
    found = main_process(seen for seen in _processes() if within(_read(seen.pid, "cgroup"), name))
    if found is None:  # our control group namespace may hide the names of the others'
        found = other_first({seen.pid: seen for seen in _processes()}, os.getpid())
    if found is None:
        raise not_found(container)
    return found.pid, found.start


def own_process() -> tuple[int, int]:
    """Return this process, and when it was started."""
    pid = os.getpid()
    return pid, parse_stat(_read(pid, "stat")).start


def _processes() -> Iterator[Seen]:
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (text := _read(int(entry), "stat")):
            process = parse_stat(text)
            yield Seen(int(entry), process.parent, process.start, process.name)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or hides
        return b""

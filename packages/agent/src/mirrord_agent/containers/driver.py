"""Looks through /proc for a container's main process, and for our own. Which it is, is decided in machine.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mirrord_agent.containers.machine import Seen, first_process, main_process, named, within
from mirrord_agent.target.machine import parse_stat


def find_container(container: str) -> tuple[int, int]:
    """Return a container's main process, and when it was started, in clock ticks since boot.

    Args:
        container: Its id, 64 hexadecimal digits.

    Raises:
        TargetRefused: None of its processes is to be seen; why, and what would help.
    """
    name = container.encode()
    members = [seen for pid in _pids() if within(_read(pid, "cgroup"), name) and (seen := _look(pid))]
    found = main_process(members)
    if found is None:
        processes = {pid: seen for pid in _pids() if (seen := _look(pid))}
        found = first_process(processes, os.getpid(), first_named=named(_read(1, "cgroup")), container=container)
    return found.pid, found.start


def own_process() -> tuple[int, int]:
    """Return this process, and when it was started."""
    pid = os.getpid()
    return pid, parse_stat(_read(pid, "stat")).start


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())


def _look(pid: int) -> Seen | None:
    """Return what is to be seen of a process; None if it has ended meanwhile."""
    if not (text := _read(pid, "stat")):
        return None
    process = parse_stat(text)
    return Seen(pid, process.parent, process.start, process.name)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or hides
        return b""

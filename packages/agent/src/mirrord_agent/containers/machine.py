"""Which of the processes that can be seen is a container's main one, by what /proc says of control groups. No I/O.

No container runtime is asked: its socket would have to be mounted, and is another one for each. All of them name a
container's control group after the container's id (cgroups(7)):

    /kubepods/besteffort/pod6ec9/ID                                  cgroupfs
    /kubepods.slice/kubepods-pod6ec9.slice/cri-containerd-ID.scope   systemd, containerd; crio-ID.scope, docker-ID.scope
    /system.slice/containerd.service/kubepods-pod6ec9:cri-containerd:ID
    /../cri-containerd-ID.scope                                      seen from another control group namespace
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mirrord_agent.target.refusals import container_gone, containers_hidden, processes_apart

_ID = re.compile(rb"[0-9a-f]{64}")
_MONITOR = b"conmon-"
"""Of the process that watches a container of CRI-O's, in a group of its own."""
_PAUSE = b"pause"
"""The name of the process that holds a pod's namespaces."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A process, as /proc shows it."""

    pid: int
    parent: int
    start: int
    """In clock ticks since boot."""
    name: bytes


def within(cgroup: bytes, container: bytes) -> bool:
    """Whether /proc/PID/cgroup says that the process is in a container's control group, or below it."""
    return any(_names(part, container) for part in _parts(cgroup))


def named(cgroup: bytes) -> bool:
    """Whether /proc/PID/cgroup names any container."""
    return any(_ID.search(part) for part in _parts(cgroup))


def _parts(cgroup: bytes) -> Iterable[bytes]:
    for line in cgroup.splitlines():
        yield from line.split(b":", 2)[-1].split(b"/")  # the path may have colons


def _names(part: bytes, container: bytes) -> bool:
    part = part.removesuffix(b" (deleted)").removesuffix(b".scope")
    before = part.removesuffix(container)
    return before != part and not before.endswith(_MONITOR) and (not before or before[-1:] in b"-:")


def main_process(members: Iterable[Seen]) -> Seen | None:
    """Return the main process of those in a container's control group.

    Its parent isn't among them; nor is that of what was started beside it later (`kubectl exec`, probes).
    """
    members = list(members)
    pids = {member.pid for member in members}
    outermost = (each for each in members if each.parent not in pids)
    return min(outermost, key=lambda each: (each.start, each.pid), default=None)


def _above(pid: int, processes: Mapping[int, Seen]) -> set[int]:
    """Return the parents of a process. They weren't seen all at once, so they may seem to be in a circle."""
    above = set[int]()
    while (seen := processes.get(pid)) and seen.parent not in above:
        pid = seen.parent
        above.add(pid)
    return above


def first_process(processes: Mapping[int, Seen], own: int, *, first_named: bool, container: str) -> Seen:
    """Return PID 1, where the containers' names are hidden and it can only be the target's.

    That is so in an ephemeral container that shares its target's processes. It isn't where PID 1 is above us (the node's
    first process, if we see the node's), ourselves, what holds a pod's namespaces, or in a container with a name.

    Args:
        processes: All that can be seen.
        own: Our own PID.
        first_named: Whether PID 1 is in a control group that names a container.
        container: The target's id.

    Raises:
        TargetRefused: It isn't; why, and what would help.
    """
    first = processes.get(1)
    if first is None or own == 1:
        raise processes_apart(container)
    if first_named or 1 in _above(own, processes):
        raise container_gone(container)
    if first.name == _PAUSE:
        raise containers_hidden(container)
    return first

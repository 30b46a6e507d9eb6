"""Which of a machine's processes is a container's main one, by what /proc says of control groups. No I/O.

No container runtime is asked: its socket would have to be mounted, and is another one for each. All of them name a
container's control group after the container's id (cgroups(7)):

    /kubepods/besteffort/pod6ec9/ID                                  cgroupfs
    /kubepods.slice/kubepods-pod6ec9.slice/cri-containerd-ID.scope   systemd, containerd; crio-ID.scope, docker-ID.scope
    /../cri-containerd-ID.scope                                      seen from another control group namespace
    /system.slice/containerd.service/kubepods-pod6ec9:cri-containerd:ID
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mirrord_agent.target.machine import TargetRefused
from mirrord_protocol.values import FailureKind

ID = re.compile(r"[0-9a-f]{64}")
_MONITOR = b"conmon-"
"""Of the process that watches a container of CRI-O's, in a group of its own."""
PAUSE = b"pause"
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
    paths = (line.split(b":", 2)[-1] for line in cgroup.splitlines())  # the path may have colons
    return any(_names(part, container) for path in paths for part in path.split(b"/"))


def _names(part: bytes, container: bytes) -> bool:
    part = part.removesuffix(b".scope")
    before = part.removesuffix(container)
    return before != part and not before.endswith(_MONITOR) and (not before or before[-1:] in b"-:")


def main_process(members: Iterable[Seen]) -> Seen | None:
    """Return the main process of those in a container's control group.

    Its parent isn't among them; nor is that of what was started beside it later (`kubectl exec`).
    """
    members = list(members)
    pids = {member.pid for member in members}
    return min((each for each in members if each.parent not in pids), key=lambda each: each.start, default=None)


def other_first(processes: Mapping[int, Seen], own: int) -> Seen | None:
    """Return PID 1 where it can only be the target's: neither ours, nor above us, nor the one that holds the pod."""
    first = processes.get(1)
    if first is None or first.name == PAUSE:
        return None
    pid = own
    while pid in processes and pid != 1:
        pid = processes[pid].parent
    return None if pid == 1 else first


def not_found(container: str) -> TargetRefused:
    """Return the refusal of a container of which no process can be seen."""
    text = (
        f"no process of container {container[:12]} is to be seen: it has ended, or this agent is not on its node, or the"
        " container runtime gives them no PID namespace in common (hostPID, or targetContainerName of an ephemeral"
        " container)"
    )
    return TargetRefused(FailureKind.GONE, text)

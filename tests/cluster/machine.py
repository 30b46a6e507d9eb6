"""What is decided about the cluster's processes and what they need, from what was seen. Pure.

processes.py and host.py look, and do what is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

GO_NEEDED = (1, 24)


@dataclass(frozen=True, slots=True)
class Record:
    """What is written down of a daemon that was started: enough to know it again, whatever became of its number."""

    pid: int
    start: int
    """When it started, in the kernel's ticks since boot: field 22 of proc_pid_stat(5)."""
    boot: str
    """The kernel's random name of that boot."""
    key: str
    """Of the command, the program and the configuration it was started with."""

    def text(self) -> str:
        return f"{self.pid} {self.start} {self.boot} {self.key}\n"


def read_record(text: str) -> Record | None:
    """Return what was written down; none if it was cut off."""
    match text.split():
        case [pid, start, boot, key] if pid.isdecimal() and start.isdecimal():
            return Record(int(pid), int(start), boot, key)
        case _:
            return None


class Act(Enum):
    """What becomes of a daemon as the cluster goes up."""

    KEEP = "keep"
    START = "start"
    REPLACE = "replace"


def runs(record: Record | None, start: int | None, boot: str) -> bool:
    """Whether a recorded daemon runs, if the process that now has its number started at `start` (none: there is none)."""
    return record is not None and start is not None and (record.boot, record.start) == (boot, start)


def decide(record: Record | None, start: int | None, boot: str, key: str) -> Act:
    """Say what becomes of a daemon that is wanted with `key`; see runs."""
    if record is None or not runs(record, start, boot):
        return Act.START
    return Act.KEEP if record.key == key else Act.REPLACE


def start_time(stat: str) -> int | None:
    """Read when a process started from its /proc/PID/stat; none for one that is dead and not yet buried.

    >>> start_time("7 (a ) b) S 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0")
    4711
    """
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else int(rest[18])


def new_enough(version: str) -> bool:
    """Whether a Go of this version, as `go env GOVERSION` says it, builds Kubernetes.

    >>> new_enough("go1.24rc1"), new_enough("go1.19.8"), new_enough("")
    (True, False, False)
    """
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= GO_NEEDED


def mounts_below(mountinfo: str, folder: str) -> Iterator[str]:
    """Yield the mounts at and below a folder, the last first: field 5 of /proc/PID/mountinfo (proc_pid_mountinfo(5))."""
    for line in reversed(mountinfo.splitlines()):
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), line.split()[4])
        if point == folder or point.startswith(f"{folder}/"):
            yield point


def hierarchies(mountinfo: str) -> tuple[list[str], str]:
    """Return the folders of all control group hierarchies, and of the one by which processes are found again.

    cgroup v2 is that one where there is any, with controllers or without: runc leaves it alone or stays below our group.
    """
    found: dict[str, str] = {}
    for line in mountinfo.splitlines():
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        if kind in {"cgroup", "cgroup2"}:
            found.setdefault(fields[4], kind)
    if not found:
        raise ValueError("no control groups are mounted")
    second = [folder for folder, kind in found.items() if kind == "cgroup2"]
    return list(found), (second or list(found))[0]


def without_ports(rules: Iterable[str], network: str) -> list[str]:
    """Return what iptables-restore (--noflush) is told to remove the portmap plugin's rules of a network.

    `rules` are the lines of `iptables-save -t nat`. The plugin has chains for all networks, and one for each container
    (CNI-DN-...), which is led to by a rule with a comment that names the network.
    """
    lines = list(rules)
    leading = [line for line in lines if line.startswith("-A CNI-HOSTPORT-DNAT") and f'name: \\"{network}\\"' in line]
    chains = {line.split()[-1] for line in leading}
    gone = [*leading, *(line for line in lines if line.startswith("-A ") and line.split()[1] in chains)]
    if len(leading) == sum(line.startswith("-A CNI-HOSTPORT-DNAT") for line in lines):
        # No other network's ports are left: the common chains go too, and what leads to them.
        common = {"CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ"}
        chains |= {line.split()[0][1:] for line in lines if line.startswith(":")} & common
        gone += [
            line
            for line in lines
            if line.startswith("-A ") and common & set(line.split()[1:]) and line not in gone
        ]  # fmt: skip
    if not chains:
        return []
    removed = [line.replace("-A ", "-D ", 1) for line in gone]
    return ["*nat", *removed, *(f"-X {chain}" for chain in sorted(chains)), "COMMIT"]

"""What the target is, whether it can be served, and which rights to take for it: decisions about facts. No I/O.

The facts come from /proc, by driver.py, which also carries the steps out.
"""

from __future__ import annotations

from dataclasses import dataclass

from mirrord_agent.kernel.layouts import (
    CAP_DAC_OVERRIDE,
    CAP_DAC_READ_SEARCH,
    CAP_FOWNER,
    CAP_NET_ADMIN,
    CAP_SETGID,
    CAP_SETUID,
    CAP_SYS_ADMIN,
    CAP_SYS_PTRACE,
    PF_EXITING,
    PF_KTHREAD,
)
from mirrord_agent.target.refusals import Place, ended, gone, ids_forbidden, kernel_thread, reused

FILE_CAPABILITIES = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH | 1 << CAP_FOWNER
"""Those that decide which files may be read, and whether without changing their access times."""
IDS_CAPABILITIES = 1 << CAP_SETUID | 1 << CAP_SETGID
NETWORK_CAPABILITIES = 1 << CAP_NET_ADMIN
"""The one that redirecting connections needs. No program of the target's is started with it, no file opened by it."""


# ---------------------------------------------------------------------------------------------- facts


@dataclass(frozen=True, slots=True)
class Process:
    """What /proc/PID/stat says."""

    name: bytes
    state: str
    parent: int
    flags: int
    start: int
    """In clock ticks since boot."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a process may do with files, from /proc/PID/status, as seen from the reader's user namespace."""

    uid: int
    gid: int
    groups: frozenset[int]
    effective: int = 0
    permitted: int = 0


def parse_stat(data: bytes) -> Process:
    """Parse /proc/PID/stat. The name may hold anything, also parentheses and newlines."""
    head, _, tail = data.rpartition(b")")
    fields = tail.split()
    return Process(head.partition(b"(")[2], fields[0].decode(), int(fields[1]), int(fields[6]), int(fields[19]))


def parse_status(data: bytes) -> tuple[Rights, list[int]]:
    """Parse /proc/PID/status: the rights over files, and the process's PIDs from the outermost namespace inwards."""
    lines = dict(line.split(b":", 1) for line in data.splitlines() if b":" in line)
    rights = Rights(
        uid=int(lines[b"Uid"].split()[3]),
        gid=int(lines[b"Gid"].split()[3]),
        groups=frozenset(map(int, lines[b"Groups"].split())),
        effective=int(lines[b"CapEff"], 16),
        permitted=int(lines[b"CapPrm"], 16),
    )
    return rights, [int(pid) for pid in lines.get(b"NSpid", b"").split()]


def below(root: bytes, text: bytes) -> bytes | None:
    """Return a path as the target sees it, from one that /proc shows to us; None if it is outside the target's root."""
    if root == b"/":
        return text
    if text == root:
        return b"/"
    return text[len(root) :] if text.startswith(root + b"/") else None


# ---------------------------------------------------------------------------------------------- the process


def check_process(pid: int, process: Process, start: int | None, place: Place) -> None:
    """Raise TargetRefused unless it is the process that was meant, started then if that is known, and runs a program."""
    if start is not None and process.start != start:
        raise reused(pid) if place == Place.MACHINE else gone(pid, place)
    if process.flags & PF_KTHREAD:
        raise kernel_thread(pid)
    if process.state in {"Z", "X"} or process.flags & PF_EXITING:
        raise ended(pid, place)


# ---------------------------------------------------------------------------------------------- rights


@dataclass(frozen=True, slots=True)
class EnterUser:
    """Enter the target's user namespace; then plan again, for its ids and our capabilities are others there."""


@dataclass(frozen=True, slots=True)
class EnterNetwork:
    """Enter the target's network namespace, if we may; then plan again, for it decides which capabilities are of use."""


@dataclass(frozen=True, slots=True)
class EnterHost:
    """Enter the target's UTS namespace, where its hostname is."""


@dataclass(frozen=True, slots=True)
class TakeIds:
    """Become the target's user and groups, with our capabilities kept until `Keep`."""

    uid: int
    gid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class Keep:
    """Give up all capabilities but these."""

    capabilities: int


Step = EnterUser | EnterNetwork | EnterHost | TakeIds | Keep


def to_look(ours: Rights, its: Rights) -> TakeIds | None:
    """Return how we may come to be shown a target that hides from us: as its equal; None if we can't be that.

    Without SYS_PTRACE, only who has the same user and group, and no fewer capabilities, is let into /proc/PID/root.
    """
    if IDS_CAPABILITIES & ~ours.effective or (ours.uid, ours.gid) == (its.uid, its.gid):
        return None
    return TakeIds(its.uid, its.gid, its.groups)


def plan(
    ours: Rights,
    its: Rights,
    *,
    other_user: bool,
    other_network: bool,
    other_host: bool,
    rules: bool,
    sees_all_ids: bool,
) -> list[Step]:
    """Return the steps from our rights to the target's; `EnterNetwork` or `EnterUser` is the last where there is one.

    `other_network`: its network namespace is another than ours, and entering it from here hasn't failed yet. Who has
    the right out here enters it first: it may belong to another user namespace than the target's. Who hasn't may have
    it within the target's user namespace.
    `rules`: we are in its network namespace, and our capabilities count there.
    `sees_all_ids`: our user namespace is the machine's own, so ids that we see are the real ones. From there, they are
    taken before entering the target's: an id that the target's namespace doesn't map can't be taken within.
    """
    take = TakeIds(its.uid, its.gid, its.groups)
    differ = take != TakeIds(ours.uid, ours.gid, ours.groups)
    may_take = not IDS_CAPABILITIES & ~ours.effective
    if other_network and ours.effective & 1 << CAP_SYS_ADMIN:
        return [EnterNetwork()]
    if other_user:
        return [take, EnterUser()] if differ and may_take and sees_all_ids else [EnterUser()]
    steps: list[Step] = []
    if other_host and ours.effective & 1 << CAP_SYS_ADMIN:
        steps.append(EnterHost())
    if differ and may_take:
        steps.append(take)
    elif ours.uid != its.uid:
        raise ids_forbidden(its.uid, its.gid)
    return [*steps, Keep(kept(ours, its) | (NETWORK_CAPABILITIES & ours.permitted if rules else 0))]


def kept(ours: Rights, its: Rights) -> int:
    """Return the capabilities over files and processes to keep: never one that the target lacks."""
    keep = its.effective & FILE_CAPABILITIES
    # The kernel shows /proc/PID/exe and its like to those with SYS_PTRACE, or with no fewer rights than the process.
    if its.effective & 1 << CAP_SYS_PTRACE:
        keep |= 1 << CAP_SYS_PTRACE
    else:
        keep |= its.permitted
    return keep & ours.permitted & ~NETWORK_CAPABILITIES


def sees_other_files(ours: Rights, steps: list[Step]) -> bool:
    """Whether we may not be able to read our own modules after these steps."""
    return any(
        isinstance(step, TakeIds | EnterUser)
        or (isinstance(step, Keep) and bool(ours.effective & FILE_CAPABILITIES & ~step.capabilities))
        for step in steps
    )

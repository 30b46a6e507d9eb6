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
from mirrord_protocol.values import Failure, FailureKind

FILE_CAPABILITIES = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH | 1 << CAP_FOWNER
"""Those that decide which files may be read, and whether without changing their access times."""
IDS_CAPABILITIES = 1 << CAP_SETUID | 1 << CAP_SETGID
NETWORK_CAPABILITIES = 1 << CAP_NET_ADMIN
"""The one that redirecting connections needs. No program of the target's is started with it, no file opened by it."""


class TargetRefused(Exception):
    """The target can't be served; `failure` says to a person why, and what would help."""

    def __init__(self, kind: FailureKind, text: str) -> None:
        super().__init__(text)
        self.failure = Failure(kind, None, text)


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


# ---------------------------------------------------------------------------------------------- refusals


def gone(pid: int) -> TargetRefused:
    """Return the refusal of a process that isn't there."""
    return TargetRefused(
        FailureKind.GONE, f"there is no process {pid} any more: it has ended; start it again and name its new PID"
    )


def check_process(pid: int, process: Process, start: int) -> None:
    """Raise TargetRefused unless it is the process that was meant and a program runs in it."""
    if process.start != start:
        text = f"process {pid} is not the one that was meant: that one has ended, and its PID was given to another"
        raise TargetRefused(FailureKind.GONE, text)
    if process.flags & PF_KTHREAD:
        text = f"process {pid} is a thread of the kernel, with neither environment nor files: name a program's process"
        raise TargetRefused(FailureKind.UNSUPPORTED, text)
    if process.state in {"Z", "X"} or process.flags & PF_EXITING:
        text = f"process {pid} has ended and only waits for its parent to notice; start it again and name its new PID"
        raise TargetRefused(FailureKind.GONE, text)


def forbidden(pid: int, uid: int, our_uid: int, *, beside: bool = False) -> TargetRefused:
    """Return the refusal of a process that we may not look into; `beside`: the agent was put there for it."""
    if beside:
        text = (
            f"this agent has no permission to look into the target's process: that runs as user {uid}, the agent as user"
            f" {our_uid}, and it takes the same user with no fewer rights, or the capability SYS_PTRACE"
        )
    elif uid == our_uid:
        text = (
            f"no permission to look into process {pid}, though it is the same user's: it has more rights than this "
            "user, or hides itself; run mirrord as root"
        )
    else:
        text = (
            f"no permission to look into process {pid}: it belongs to user {uid}, and this is user {our_uid}; "
            "run mirrord as root or as the same user"
        )
    return TargetRefused(FailureKind.FORBIDDEN, text)


def check_kernel(*, machine: str, known_machine: bool, openat2: bool) -> None:
    """Raise TargetRefused if this machine can't confine file access to the target's root."""
    if not known_machine:
        text = f"the agent doesn't run on machines of the type {machine}: x86_64 and aarch64 are supported"
        raise TargetRefused(FailureKind.UNSUPPORTED, text)
    if not openat2:
        text = "files need the system call openat2: Linux 5.6 or newer, not blocked by a seccomp profile"
        raise TargetRefused(FailureKind.UNSUPPORTED, text)


def network_forbidden(pid: int, our_uid: int) -> Failure:
    """Return why a network namespace that we may not enter leaves the target's network out."""
    if our_uid == 0:
        helps = "this agent lacks the capability SYS_ADMIN there: run mirrord with it, or where the target was started"
    else:
        helps = f"which user {our_uid} may not enter: run mirrord as root"
    return Failure(FailureKind.FORBIDDEN, None, f"process {pid} is in a network namespace of its own, {helps}")


def rules_forbidden(pid: int, our_uid: int, *, other_user: bool) -> Failure:
    """Return why connections that come to the target can't be redirected."""
    if other_user:
        helps = "its user namespace has no power over the network that it shares with others: give it one of its own"
    elif our_uid == 0:
        helps = "this agent lacks the capability NET_ADMIN: run mirrord with it"
    else:
        helps = f"user {our_uid} has no power over its network: run mirrord as root"
    text = f"connections to process {pid} can't be redirected, {helps}"
    return Failure(FailureKind.FORBIDDEN, None, text)


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
        text = (
            f"no permission to act as the target's user {its.uid}: this agent lacks the capabilities SETUID and SETGID"
        )
        raise TargetRefused(FailureKind.FORBIDDEN, text)
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

"""What a person is told where a target, or a part of it, can't be had: why, and what would help. No I/O.

Which of these it is, is decided in machine.py and driver.py.
"""

from __future__ import annotations

import enum

from mirrord_agent.kernel.layouts import CAPABILITY_NAMES
from mirrord_protocol.values import Failure, FailureKind

MOST_NAMES = 5
IN_A_JOB = (
    "a Job as the agent (agent.mode: job) may look all the same, by the capability SYS_PTRACE, but for "
    "agent.disabled_capabilities"
)


class Place(enum.Enum):
    """Where an agent and its target are; what helps differs."""

    MACHINE = enum.auto()
    """On the machine of whoever runs mirrord."""
    POD = enum.auto()
    """In a cluster: the target is a container, and the agent was put beside it."""
    ITSELF = enum.auto()
    """In a cluster, without a target: the agent is its own."""


class TargetRefused(Exception):
    """The target can't be served; `failure` says to a person why, and what would help."""

    def __init__(self, kind: FailureKind, text: str) -> None:
        super().__init__(text)
        self.failure = Failure(kind, None, text)


# ---------------------------------------------------------------------------------------------- gone


def gone(pid: int, place: Place) -> TargetRefused:
    """Return the refusal of a process that isn't there."""
    if place != Place.MACHINE:
        return _container_gone()
    text = f"there is no process {pid} any more: it has ended; start it again and name its new PID"
    return TargetRefused(FailureKind.GONE, text)


def ended(pid: int, place: Place) -> TargetRefused:
    """Return the refusal of a process that is a zombie, or about to be one."""
    if place != Place.MACHINE:
        return _container_gone()
    text = f"process {pid} has ended and only waits for its parent to notice; start it again and name its new PID"
    return TargetRefused(FailureKind.GONE, text)


def reused(pid: int) -> TargetRefused:
    """Return the refusal of a process that isn't the one that was meant."""
    text = f"process {pid} is not the one that was meant: that one has ended, and its PID was given to another"
    return TargetRefused(FailureKind.GONE, text)


def _container_gone() -> TargetRefused:
    text = "the target's container has just ended, or was restarted: start mirrord again, when the pod is ready"
    return TargetRefused(FailureKind.GONE, text)


def container_gone(container: str) -> TargetRefused:
    """Return the refusal of a container that isn't on the node, whose processes can all be seen."""
    text = (
        f"no process of the target's container ({container[:12]}…) is on this node: it has ended, or was restarted; start "
        "mirrord again, when the pod is ready"
    )
    return TargetRefused(FailureKind.GONE, text)


def processes_apart(container: str) -> TargetRefused:
    """Return the refusal of a container whose processes can't be seen from where the agent is."""
    text = (
        f"this agent sees no process of the target's container ({container[:12]}…): the cluster's container runtime lets "
        "no ephemeral container share the processes of its target; use a Job as the agent (agent.mode: job)"
    )
    return TargetRefused(FailureKind.UNSUPPORTED, text)


def containers_hidden(container: str) -> TargetRefused:
    """Return the refusal of a container among several, of which nothing tells one from another."""
    text = (
        f"this agent can't tell which of the pod's processes are those of the target's container ({container[:12]}…): all "
        "containers share them, and the names of their control groups are hidden; use a Job as the agent (agent.mode: job)"
    )
    return TargetRefused(FailureKind.UNSUPPORTED, text)


# ---------------------------------------------------------------------------------------------- no process, no kernel


def kernel_thread(pid: int) -> TargetRefused:
    """Return the refusal of a process that runs no program."""
    text = f"process {pid} is a thread of the kernel, with neither environment nor files: name a program's process"
    return TargetRefused(FailureKind.UNSUPPORTED, text)


def check_kernel(*, machine: str, known_machine: bool, openat2: bool) -> None:
    """Raise TargetRefused if this machine can't confine file access to the target's root."""
    if not known_machine:
        text = f"the agent doesn't run on machines of the type {machine}: x86_64 and aarch64 are supported"
        raise TargetRefused(FailureKind.UNSUPPORTED, text)
    if not openat2:
        text = "files need the system call openat2: Linux 5.6 or newer, not blocked by a seccomp profile"
        raise TargetRefused(FailureKind.UNSUPPORTED, text)


# ---------------------------------------------------------------------------------------------- rights


def forbidden(pid: int, uid: int, our_uid: int) -> TargetRefused:
    """Return the refusal of a process of this machine that we may not look into."""
    if uid == our_uid:
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


def pod_forbidden(its: tuple[int, int], ours: tuple[int, int], missing: int) -> TargetRefused:
    """Return the refusal of a container that we may not look into: ptrace(2), "Ptrace access mode checking".

    Args:
        its: Its user and group.
        ours: This agent's.
        missing: The capabilities that it has and this agent lacks.
    """
    if its != ours:
        why = (
            f"it runs as user {its[0]} and group {its[1]}, this agent as user {ours[0]} and group {ours[1]} without the "
            "capabilities SETUID and SETGID to become another; it takes these, or the same user and group"
        )
    elif missing:
        why = f"it has capabilities that this agent lacks ({_some(capability_names(missing))}); {IN_A_JOB}"
    else:
        why = (
            "it hides itself, is in a user namespace of its own, or a security module of the node (AppArmor, SELinux) keeps "
            f"the two apart; {IN_A_JOB}"
        )
    return TargetRefused(FailureKind.FORBIDDEN, f"no permission to look into the target's container: {why}")


def ids_forbidden(uid: int, gid: int, reason: str = "") -> TargetRefused:
    """Return the refusal of a target whose user we can't become; `reason` is the system's, if it was asked."""
    reason = reason or "it takes the capabilities SETUID and SETGID, or the same user and group"
    text = f"no permission to act as the target's user {uid} and group {gid}: {reason}"
    return TargetRefused(FailureKind.FORBIDDEN, text)


def network_forbidden(pid: int, our_uid: int, place: Place) -> Failure:
    """Return why a network namespace that we may not enter leaves the target's network out."""
    if place != Place.MACHINE:
        text = (
            "the target's network can't be entered without the capability SYS_ADMIN: take that out of "
            "agent.disabled_capabilities, or use an ephemeral container as the agent (agent.mode: ephemeral)"
        )
        return Failure(FailureKind.FORBIDDEN, None, text)
    if our_uid == 0:
        helps = "this agent lacks the capability SYS_ADMIN there: run mirrord with it, or where the target was started"
    else:
        helps = f"which user {our_uid} may not enter: run mirrord as root"
    return Failure(FailureKind.FORBIDDEN, None, f"process {pid} is in a network namespace of its own, {helps}")


def rules_forbidden(pid: int, our_uid: int, place: Place, *, other_user: bool) -> Failure:
    """Return why connections that come to the target can't be redirected."""
    if place == Place.ITSELF:
        text = "there is no target that connections could come to: name one"
        return Failure(FailureKind.UNSUPPORTED, None, text)
    what = "the target" if place == Place.POD else f"process {pid}"
    if other_user:
        helps = "its user namespace has no power over the network that it shares with others: give it one of its own"
    elif place == Place.POD:
        helps = (
            "this agent lacks the capability NET_ADMIN: the target's namespace doesn't allow it, or it is in "
            "agent.disabled_capabilities"
        )
    elif our_uid == 0:
        helps = "this agent lacks the capability NET_ADMIN: run mirrord with it"
    else:
        helps = f"user {our_uid} has no power over its network: run mirrord as root"
    return Failure(FailureKind.FORBIDDEN, None, f"connections to {what} can't be redirected, {helps}")


def _some(names: list[str]) -> str:
    left = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {left} more" if left > 0 else "")


def capability_names(capabilities: int) -> list[str]:
    """Return the names of a set of capabilities, as container specifications have them: without `CAP_`."""
    return [
        CAPABILITY_NAMES[number] if number < len(CAPABILITY_NAMES) else str(number)
        for number in range(capabilities.bit_length())
        if capabilities >> number & 1
    ]

"""Finds the target, keeps what is needed of it, and takes its rights: done once, before any thread exists.

What is decided about it is in machine.py. All descriptors are opened before rights are given up, and each refers to the
target itself or to nothing: a process that gets the same PID later is never seen through them.
"""

from __future__ import annotations

import errno
import os
import platform
import select
from collections.abc import Callable
from dataclasses import dataclass

from mirrord_agent.incoming.rules.driver import LegacyTables, open_legacy_tables
from mirrord_agent.kernel import driver as kernel
from mirrord_agent.kernel.layouts import (
    CLONE_NEWNET,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    O_PATH,
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    PR_SET_NO_NEW_PRIVS,
    RESOLVE_IN_ROOT,
)
from mirrord_agent.target.machine import (
    NETWORK_CAPABILITIES,
    EnterHost,
    EnterNetwork,
    EnterUser,
    Keep,
    Rights,
    Step,
    TakeIds,
    below,
    check_process,
    parse_stat,
    parse_status,
    plan,
    sees_other_files,
    to_look,
)
from mirrord_agent.target.refusals import (
    Place,
    TargetRefused,
    check_kernel,
    forbidden,
    gone,
    ids_forbidden,
    network_forbidden,
    pod_forbidden,
    rules_forbidden,
)
from mirrord_protocol.values import Failure

HOSTNAME_FILE = b"/etc/hostname"
HOSTNAME_LIMIT = 256
NO_RIGHTS = Rights(0, 0, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTarget:
    """The target as the agent holds it, by descriptors."""

    pid: int
    process: int
    """The target's folder in /proc."""
    death: int
    """A pidfd: readable when the target has ended."""
    root: int
    """Its root folder."""
    memory: int
    """Its `statm`: all zeros when it is about to end, before its mounts are taken apart."""
    variables: int
    """Its `environ`."""
    user_id: int
    group_id: int
    name: bytes
    hostname: bytes
    working_directory: bytes
    """As the target sees it."""
    outside_root: bytes
    """Its root as we see it: what /proc shows us of its paths begins with it."""
    process_ids: tuple[int, ...]
    """From its innermost PID namespace outwards."""
    start: int
    network: Failure | None = None
    """Why its network can't be had; None: every socket that we make is in it."""
    rules: Failure | None = None
    """Why connections to it can't be redirected; None: we have NET_ADMIN over its network."""
    legacy_tables: LegacyTables = ()
    """What is needed to see rules of iptables-legacy in it."""


@dataclass(slots=True)
class _Taken:
    """What was found and taken on the way to the target's rights."""

    pid: int
    place: Place
    our_uid: int
    hostname: bytes | None = None
    rights: Rights = NO_RIGHTS
    other_user: bool = False
    network: bool = False
    rules: bool = False
    legacy_tables: LegacyTables = ()

    def network_failure(self) -> Failure | None:
        return None if self.network else network_forbidden(self.pid, self.our_uid, self.place)

    def rules_failure(self) -> Failure | None:
        if self.rules:
            return None
        return rules_forbidden(self.pid, self.our_uid, self.place, other_user=self.other_user)


def hold(pid: int, start: int | None, *, place: Place, before_change: Callable[[], None]) -> HeldTarget:
    """Open the target, and act with its rights from now on.

    Args:
        pid: The target.
        start: When it was started, in clock ticks since boot; None to take it as it is.
        place: Where it is, for the words of a refusal.
        before_change: Called before we become another user, who may see other files.

    Raises:
        TargetRefused: It can't be had; the text says why, and what would help.
    """
    known = kernel.machine_supported()
    check_kernel(machine=platform.machine(), known_machine=known, openat2=known and _has_openat2())
    try:
        process = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        death = os.pidfd_open(pid)
        # The folder was opened first: if it can still be read, the pidfd is of the same process.
        found = parse_stat(_read(process, "stat"))
        check_process(pid, found, start, place)
    except (FileNotFoundError, ProcessLookupError):
        raise gone(pid, place) from None
    try:
        _look(process, before_change)
        return _hold_parts(_Taken(pid, place, os.geteuid()), found.start, process, death, before_change)
    except (FileNotFoundError, ProcessLookupError):
        raise gone(pid, place) from None
    except PermissionError:
        raise _forbidden(pid, process, place) from None


def _look(process: int, before_change: Callable[[], None]) -> None:
    """See to it that we are shown the target's files and environment, if there is a way."""
    try:
        for name, flags in (("root", O_PATH), ("environ", os.O_RDONLY)):
            os.close(os.open(name, flags | os.O_CLOEXEC, dir_fd=process))
    except PermissionError:
        if step := to_look(_our_rights(), _rights_of(process)):
            before_change()
            _carry_out(step, process)


def _forbidden(pid: int, process: int, place: Place) -> TargetRefused:
    if place == Place.MACHINE:
        return forbidden(pid, os.stat(process).st_uid, os.geteuid())
    its, ours = _rights_of(process), _our_rights()
    missing = its.permitted & ~ours.effective
    return pod_forbidden((its.uid, its.gid), (ours.uid, ours.gid), missing)


def _hold_parts(taken: _Taken, start: int, process: int, death: int, before_change: Callable[[], None]) -> HeldTarget:
    root = os.open("root", O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=process)
    variables = os.open("environ", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    memory = os.open("statm", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    outside_root = os.readlink(b"root", dir_fd=process)
    working_directory = below(outside_root, os.readlink(b"cwd", dir_fd=process))
    name = _read(process, "comm").removesuffix(b"\n")
    ids = parse_status(_read(process, "status"))[1]
    taken.other_user = _elsewhere(process, "ns/user")
    _take_rights(taken, process, before_change)
    return HeldTarget(
        pid=taken.pid,
        process=process,
        death=death,
        root=root,
        memory=memory,
        variables=variables,
        user_id=taken.rights.uid,
        group_id=taken.rights.gid,
        name=name,
        hostname=_named_hostname(root) if taken.hostname is None else taken.hostname,
        working_directory=working_directory or b"/",
        outside_root=outside_root,
        process_ids=tuple(reversed(ids)) or (taken.pid,),
        start=start,
        network=taken.network_failure(),
        rules=taken.network_failure() or taken.rules_failure(),
        legacy_tables=taken.legacy_tables,
    )


def alive(target: HeldTarget) -> bool:
    """Whether the target lives and isn't about to end. Never waits."""
    poll = select.poll()
    poll.register(target.death, select.POLLIN)
    if poll.poll(0):
        return False
    try:
        return bool(os.pread(target.memory, 128, 0).strip(b"0 \n"))
    except ProcessLookupError:
        return False


def environment(target: HeldTarget) -> bytes:
    """Return what /proc/PID/environ holds now."""
    try:
        # After an exec the kept descriptor shows an empty past; our rights may not suffice to open the present one.
        fd = os.open("environ", os.O_RDONLY | os.O_CLOEXEC, dir_fd=target.process)
    except PermissionError:
        return _read_all(target.variables)
    try:
        return _read_all(fd)
    finally:
        os.close(fd)


# ---------------------------------------------------------------------------------------------- rights


def _take_rights(taken: _Taken, process: int, before_change: Callable[[], None]) -> None:
    """Act with the target's rights from now on."""
    done = tried_network = False
    while not done:
        taken.rights = _rights_of(process)
        taken.network = not _elsewhere(process, "ns/net")
        ours = _our_rights()
        steps = plan(
            ours,
            taken.rights,
            other_user=_elsewhere(process, "ns/user"),
            other_network=not taken.network and not tried_network,
            other_host=taken.hostname is None and _elsewhere(process, "ns/uts"),
            rules=taken.network and taken.place != Place.ITSELF and _network_in_reach(process),
            sees_all_ids=_sees_all_ids(),
        )
        if taken.hostname is None and not _elsewhere(process, "ns/uts"):
            taken.hostname = os.fsencode(os.uname().nodename)
        if sees_other_files(ours, steps):
            before_change()
        for step in steps:
            if isinstance(step, Keep) and step.capabilities & NETWORK_CAPABILITIES:
                taken.legacy_tables = open_legacy_tables()
            if _carry_out(step, process) and isinstance(step, EnterHost):
                taken.hostname = os.fsencode(os.uname().nodename)
            tried_network = isinstance(step, EnterNetwork)  # from where we are: in another user namespace, try again
            if isinstance(step, Keep):
                taken.rules, done = bool(step.capabilities & NETWORK_CAPABILITIES), True
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    if taken.place != Place.ITSELF:  # it couldn't look into itself, and there is nobody else
        kernel.prctl(PR_SET_DUMPABLE, 0)


def _carry_out(step: Step, process: int) -> bool:
    """Take one step; False for a namespace that we may not enter, which is no obstacle."""
    match step:
        case EnterUser():
            _enter(process, "ns/user", CLONE_NEWUSER)
        case EnterHost():
            return _enter_if_allowed(process, "ns/uts", CLONE_NEWUTS)
        case EnterNetwork():
            return _enter_if_allowed(process, "ns/net", CLONE_NEWNET)
        case TakeIds(uid, gid, groups):
            kernel.prctl(PR_SET_KEEPCAPS, 1)
            _take_groups(groups)
            try:
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
            except OSError as error:
                raise ids_forbidden(uid, gid, str(error.strerror)) from None
            kernel.capset(kernel.capget()[1])  # they left the effective set when the user id changed
        case Keep(capabilities):
            kernel.clear_ambient()
            kernel.capset(capabilities)
    return True


def _take_groups(groups: frozenset[int]) -> None:
    if groups == frozenset(os.getgroups()):
        return
    try:
        os.setgroups(sorted(groups))
    except PermissionError:
        # A user namespace made by an ordinary user keeps its groups: what is left is this user's own.
        if _sees_all_ids():
            raise


def _rights_of(process: int) -> Rights:
    return parse_status(_read(process, "status"))[0]


def _our_rights() -> Rights:
    with open("/proc/thread-self/status", "rb") as file:
        return parse_status(file.read())[0]


def _sees_all_ids() -> bool:
    with open("/proc/thread-self/uid_map", "rb") as file:
        return file.read().split() == [b"0", b"0", b"4294967295"]


def _elsewhere(process: int, name: str) -> bool:
    """Whether the target is in another namespace than we are."""
    ours, its = os.stat(f"/proc/thread-self/{name}"), os.stat(name, dir_fd=process)
    return (ours.st_dev, ours.st_ino) != (its.st_dev, its.st_ino)


def _enter_if_allowed(process: int, name: str, kind: int) -> bool:
    try:
        _enter(process, name, kind)
    except PermissionError:  # it may belong to another user namespace than the target does
        return False
    return True


def _network_in_reach(process: int) -> bool:
    fd = os.open("ns/net", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        return kernel.owner_in_reach(fd)
    finally:
        os.close(fd)


def _enter(process: int, name: str, kind: int) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        kernel.setns(fd, kind)
    finally:
        os.close(fd)


def _named_hostname(root: int) -> bytes:
    """Return what the target's /etc/hostname says; empty if there is none."""
    try:
        fd = kernel.openat2(root, HOSTNAME_FILE, os.O_RDONLY | os.O_NONBLOCK, RESOLVE_IN_ROOT)
    except OSError:
        return b""
    try:
        return os.read(fd, HOSTNAME_LIMIT).partition(b"\n")[0].strip()
    except OSError:
        return b""
    finally:
        os.close(fd)


# ---------------------------------------------------------------------------------------------- reading


def _has_openat2() -> bool:
    try:
        os.close(kernel.openat2(-100, b"/", O_PATH, RESOLVE_IN_ROOT))
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.EPERM}:
            return False
        raise
    return True


def _read(folder: int, name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return _read_all(fd)
    finally:
        os.close(fd)


def _read_all(fd: int) -> bytes:
    parts: list[bytes] = []
    at = 0
    while part := os.pread(fd, 1 << 16, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)

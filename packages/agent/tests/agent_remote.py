"""The process that plays the target in this package's tests: it becomes what its arguments say, and waits.

Run as a program. It prints its PID as seen from outside, and ends with its standard input. Nothing it makes outlives
it: its root is a tmpfs in its own mount namespace, or a folder that the test made.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import sys

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER = 0x20000, 0x4000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_PRIVATE_ALL, MNT_DETACH, PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 0x40000 | 0x4000, 2, 1, 4
SYS_PIVOT_ROOT = 155  # x86_64

_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Call libc's function and raise OSError where it fails."""
    if getattr(_libc, name)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def become(uid: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # or its own files in /proc would stay root's


def enter_user_namespace(*, mapped: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER)
    if mapped:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "wb", 0) as file:
                file.write(text.encode())


def enter_root() -> None:
    """Change to an empty root in memory, with a /proc of our PID namespace where the machine allows one."""
    call("mount", b"none", b"/", None, MS_PRIVATE_ALL, None)
    call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, b"mode=755")
    os.chdir("/tmp")
    for name in ("etc", "old", "proc", "srv"):
        os.mkdir(name)
    try:
        call("mount", b"proc", b"proc", b"proc", 0, None)
    except PermissionError:
        os.rmdir("proc")  # where parts of the machine's own are hidden, no user namespace gets a new one
    call("syscall", SYS_PIVOT_ROOT, b".", b"old")
    os.chdir("/")
    call("umount2", b"/old", MNT_DETACH)
    os.rmdir("/old")
    os.chdir("/srv")
    with open("closed", "wb") as file:  # from outside of a user namespace, nobody could write it
        file.write(b"x")
    os.chmod("closed", 0)


def wait_end(outside: int) -> None:
    print(outside, flush=True)
    while os.read(0, 4096):
        pass


def main() -> int:
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", type=int)
    parser.add_argument("--groups", type=int, nargs="*", default=[])
    parser.add_argument("--user-namespace", choices=["mapped", "unmapped"])
    parser.add_argument("--isolated", action="store_true")
    parser.add_argument("--hostname")
    parser.add_argument("--network", choices=["first", "own"])  # made before another user namespace, or within it
    parser.add_argument("--chroot")
    parser.add_argument("--private", action="store_true")
    chosen = parser.parse_args()
    if chosen.network == "first":
        call("unshare", CLONE_NEWNET)
    if (chosen.user is not None and not (chosen.chroot or chosen.isolated)) or (
        chosen.user is not None and chosen.user_namespace
    ):
        become(chosen.user, chosen.groups)
    if chosen.user_namespace:
        enter_user_namespace(mapped=chosen.user_namespace == "mapped")
    if chosen.network == "own":
        call("unshare", CLONE_NEWNET)
    if chosen.hostname:
        call("unshare", CLONE_NEWUTS)
        socket.sethostname(chosen.hostname)
    if chosen.chroot:
        os.chroot(chosen.chroot)
        os.chdir("/")
    if chosen.isolated:
        call("unshare", CLONE_NEWNS | CLONE_NEWPID)
        ready, ready_write = os.pipe()
        child = os.fork()
        if child:
            os.close(ready_write)
            os.read(ready, 1)
            print(child, flush=True)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        enter_root()
        if chosen.user is not None and not chosen.user_namespace:
            os.chmod("/srv", 0o777)
            become(chosen.user, chosen.groups)
        os.close(ready_write)
        while os.read(0, 4096):
            pass
        os._exit(0)
    if chosen.user is not None and chosen.chroot and not chosen.user_namespace:
        become(chosen.user, chosen.groups)
    if chosen.private:
        call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)
    wait_end(os.getpid())
    return 0


if __name__ == "__main__":
    sys.exit(main())

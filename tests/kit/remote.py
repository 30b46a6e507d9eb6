"""The process that plays the target: in namespaces and with a root of its own, or plain.

A program that stands alone: it is started with the environment that the target is to have, prints one line with the
PID of the target as seen from outside, and lives until its standard input ends. `target` in this folder starts it and
fills its root from outside, through /proc/PID/root. Nothing it makes outlives it: its root is a
tmpfs in its own mount namespace, or a folder that the starter made.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
MS_BIND, MS_PRIVATE_ALL, MNT_DETACH, PR_SET_PDEATHSIG = 0x1000, 0x40000 | 0x4000, 2, 1
SYS_PIVOT_ROOT = 155  # x86_64

_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    """Call libc's function and raise OSError where it fails."""
    if getattr(_libc, name)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def enter_user_namespace() -> None:
    """Become root of a new user namespace, as an ordinary user may."""
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def enter_root(folder: str | None) -> None:
    """Change to an empty root of our own, with a /proc of our PID namespace where the machine allows one."""
    call("mount", b"none", b"/", None, MS_PRIVATE_ALL, None)
    if folder is None:
        folder = "/tmp"
        call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, b"mode=755")
    else:
        call("mount", folder.encode(), folder.encode(), None, MS_BIND, None)
    os.chdir(folder)
    for name in ("dev", "etc", "old", "proc", "srv", "tmp"):
        os.mkdir(name)
    os.chmod("tmp", 0o1777)
    try:
        call("mount", b"proc", b"proc", b"proc", 0, None)
    except PermissionError:
        # Where parts of the machine's own /proc are hidden (in most containers), no user namespace gets a new one.
        os.rmdir("proc")
    call("syscall", SYS_PIVOT_ROOT, b".", b"old")
    os.chdir("/")
    call("umount2", b"/old", MNT_DETACH)
    os.rmdir("/old")


def wait_end() -> None:
    while os.read(0, 4096):
        pass


def main() -> int:
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if sys.argv[1:] == ["plain"]:
        print(os.getpid(), flush=True)
        wait_end()
        return 0
    if os.geteuid() != 0:
        enter_user_namespace()
    call("unshare", CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)
    ready, ready_write = os.pipe()
    child = os.fork()
    if child == 0:
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        enter_root(sys.argv[2] if len(sys.argv) > 2 else None)
        os.write(ready_write, b"ready")
        os.close(ready_write)
        wait_end()
        os._exit(0)
    os.close(ready_write)
    if os.read(ready, 5) == b"ready":
        print(child, flush=True)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())

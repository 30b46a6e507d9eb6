"""Becomes a program in a target's network: `inside.py PID ROOT -- COMMAND ...`, for the truth to compare with.

A program that stands alone. The command gets the network namespace of the process PID, and with a ROOT its host name
and the files of names of that root, laid over ours; all else is this machine's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from remote import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, MS_BIND, MS_PRIVATE_ALL, call  # type: ignore[import-not-found]

CLONE_NEWUTS = 0x4000000
FILES = ("resolv.conf", "hosts", "nsswitch.conf")


KINDS = {"user": CLONE_NEWUSER, "net": CLONE_NEWNET}


def main() -> None:
    """Become the command."""
    pid, root, separator, *command = sys.argv[1:]
    assert separator == "--"
    kinds = KINDS | ({"uts": CLONE_NEWUTS} if root else {})
    # All are opened before the first is entered, which may take the right to open more.
    theirs = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in kinds]
    for descriptor, (name, kind) in zip(theirs, kinds.items(), strict=True):
        if os.fstat(descriptor).st_ino != os.stat(f"/proc/self/ns/{name}").st_ino:
            call("setns", descriptor, kind)
            if kind == CLONE_NEWUSER:  # an ID that isn't mapped would lose all rights by exec
                os.setresgid(0, 0, 0)
                os.setresuid(0, 0, 0)
    if root:
        call("unshare", CLONE_NEWNS)
        call("mount", b"none", b"/", None, MS_PRIVATE_ALL, None)
        for name in FILES:
            call("mount", f"{root}/etc/{name}".encode(), f"/etc/{name}".encode(), None, MS_BIND, None)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()

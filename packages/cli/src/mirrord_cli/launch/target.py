"""Finds the process that `process/PID` names, and what tells it from a later one with the same number.

Whether we have the rights to look into it is told by the agent.
"""

from __future__ import annotations

from mirrord_cli.errors import MirrordError
from mirrord_cli.session.settings import LocalTarget

LARGEST = 1 << 22  # PID_MAX_LIMIT of 64-bit kernels
PF_KTHREAD = 0x00200000  # include/linux/sched.h; `flags` is field 9 of /proc/PID/stat
NEXT = "Look it up with `ps` or `pgrep`, and name a process that is running."


def find_target(pid: int) -> LocalTarget:
    """Return the process with this number.

    Raises:
        MirrordError: There is none, or it is one without files and environment.
    """
    gone = MirrordError("you", f"There is no process {pid} on this machine: it is gone, or the number is wrong.", NEXT)
    if not 0 < pid <= LARGEST:
        raise gone
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
        with open(f"/proc/{pid}/status", "rb") as file:
            status = file.read()
    except (FileNotFoundError, ProcessLookupError):
        raise gone from None
    except PermissionError:
        text_ = f"No permission to look at process {pid}: it is somebody else's, or hidden (hidepid)."
        raise MirrordError("you", text_, "Run mirrord as root or as the same user.") from None
    # comm, in parentheses, may hold anything, parentheses and blanks too; what follows it doesn't.
    name = text[text.index(b"(") + 1 : text.rindex(b")")].decode(errors="replace")
    fields = text[text.rindex(b")") + 2 :].split()
    if b"\nTgid:\t%d\n" % pid not in status:
        text_ = f"{pid} is a thread of another process, not a process."
        raise MirrordError("you", text_, "Name the process: its number is Tgid in /proc/PID/status.")
    if fields[0] in {b"Z", b"X"}:
        raise MirrordError("you", f"The process {pid} ({name}) has ended, and waits for its parent to notice.", NEXT)
    if int(fields[6]) & PF_KTHREAD:
        raise MirrordError("you", f"The process {pid} ({name}) is a thread of the kernel: it has no files.", NEXT)
    return LocalTarget(pid=pid, start_time=int(fields[19]))

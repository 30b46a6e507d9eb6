"""The file that a session and its agent log to: one for each run, in the user's state folder, the newest few kept."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

KEPT = 20


def new_log(environment: Mapping[bytes, bytes]) -> bytes | None:
    """Make an empty log file that only the user can read, and return its path; None where there is no place for one.

    It is below `$XDG_STATE_HOME`, or `~/.local/state` (the XDG base directory specification).
    """
    home = environment.get(b"HOME", b"")
    state = environment.get(b"XDG_STATE_HOME") or (os.path.join(home, b".local/state") if home else b"")
    if not os.path.isabs(state):
        return None
    folder = os.path.join(state, b"mirrord", b"logs")
    path = os.path.join(folder, b"%s-%d.log" % (time.strftime("%Y%m%d-%H%M%S").encode(), os.getpid()))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError:
        return None
    _forget_old(folder)
    return path


def _forget_old(folder: bytes) -> None:
    """Remove all but the newest logs; their names sort by time. Another run may do the same at once."""
    for name in sorted(name for name in os.listdir(folder) if name.endswith(b".log"))[:-KEPT]:
        try:
            os.unlink(os.path.join(folder, name))
        except OSError:
            continue

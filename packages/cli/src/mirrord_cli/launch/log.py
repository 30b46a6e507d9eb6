"""The file that a session and its agent log to: one for each run, in the user's state folder, the newest few kept."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import suppress

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
    name = b"%s-%d" % (time.strftime("%Y%m%d-%H%M%S").encode(), os.getpid())
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = _make(folder, name)
    except OSError:
        return None
    _forget_old(folder, path)
    return path


def lock_log(fd: int) -> None:
    """Keep a log that is being written from being forgotten, for as long as anyone has this open file."""
    with suppress(OSError):  # a file system without locks
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _make(folder: bytes, name: bytes) -> bytes:
    """Make a new file; a run may make a second one within its second."""
    for number in range(KEPT):
        path = os.path.join(folder, name + (b"-%d" % number if number else b"") + b".log")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            continue
        return path
    raise FileExistsError(name)


def _forget_old(folder: bytes, own: bytes) -> None:
    """Remove all but the logs written last, but none that is still being written. Another run may do the same at once."""
    written: list[tuple[int, bytes]] = []
    for entry in os.scandir(folder):
        with suppress(OSError):
            if entry.name.endswith(b".log") and entry.path != own:
                written.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.path))
    for _, path in sorted(written)[: -KEPT + 1]:
        with suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(fd)

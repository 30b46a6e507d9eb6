"""Makes the memory of the shared table, that programs can read and only the session can write, and hands it out.

Each descriptor handed out has a shared lock, which lives as long as anyone has that descriptor, or a mapping made of it:
so the session sees whether programs are left even if all of them closed their links.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import suppress
from typing import Final

F_SEAL_FUTURE_WRITE: Final = 0x10
"""Of Linux 5.1; before it, the mode alone keeps others from writing."""


class SharedMemory:
    """Zeroed memory of a fixed size, shared with programs."""

    def __init__(self, size: int) -> None:
        self._fd = os.memfd_create("mirrord-table", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._fd, size)
        self.map = mmap.mmap(self._fd, size)
        fcntl.fcntl(self._fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        with suppress(OSError):
            fcntl.fcntl(self._fd, fcntl.F_ADD_SEALS, F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SEAL)
        os.fchmod(self._fd, 0o400)

    def hand_out(self) -> int:
        """Return a new read-only descriptor, which programs may have."""
        fd = os.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return fd

    def is_used(self) -> bool:
        """Whether anyone has a descriptor that was handed out, or a mapping of one."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        """Let go of it; programs keep theirs."""
        self.map.close()
        os.close(self._fd)

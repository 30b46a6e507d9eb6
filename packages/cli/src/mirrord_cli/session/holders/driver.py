"""Tells when nobody holds a stand-in any more: by inotify and by leases, that is by the kernel, without polling.

All stand-ins are unlinked, so the last holder's close deletes the object, and a watch on it gets `IN_DELETE_SELF`,
whatever held it: a descriptor, a mapping, a current directory, a message on its way. The watch keeps the inode, so that
its number isn't used again before we know. A file that the session itself must keep open to write it is asked about by
trying for a write lease, which only a sole holder gets; `IN_CLOSE_NOWRITE` says when to try.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Callable

import trio

_libc = ctypes.CDLL(None, use_errno=True)
_EVENT = struct.Struct("iIII")
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
IN_CLOSE_NOWRITE, IN_DELETE_SELF, IN_IGNORED, IN_Q_OVERFLOW = 0x10, 0x400, 0x8000, 0x4000
RECEIVE = 1 << 16


class Holders:
    """Watches over stand-ins, each known by a number.

    Args:
        deleted: Called when nobody holds a stand-in any more; its watch is over.
        closed: Called when a program closed one that is still ours: somebody may hold it still.
    """

    def __init__(self, deleted: Callable[[int], None], closed: Callable[[int], None]) -> None:
        self._deleted = deleted
        self._closed = closed
        self._watched: dict[int, int] = {}
        """Numbers by watch."""
        fd = _libc.inotify_init1(_NONBLOCK_CLOEXEC)
        self._fd = fd if fd >= 0 else None  # each user has a limited number of them

    def close(self) -> None:
        """Give the watches up."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def watch(self, number: int, fd: int, *, own: bool) -> bool:
        """Begin to watch a stand-in over one of its descriptors; whether that can be.

        `own`: the session keeps a descriptor of its own. Without, its last holder is waited for: close `fd` then.
        """
        if self._fd is None:
            return False
        mask = IN_CLOSE_NOWRITE if own else IN_DELETE_SELF
        watch = _libc.inotify_add_watch(self._fd, b"/proc/self/fd/%d" % fd, mask)
        if watch < 0:
            code = ctypes.get_errno()
            if code in {errno.ENOSPC, errno.ENOMEM}:
                return False
            raise OSError(code, os.strerror(code))
        self._watched[watch] = number
        return True

    async def run(self) -> None:
        """Tell of holders that go, until cancelled."""
        if self._fd is None:
            await trio.sleep_forever()
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            self.look()

    def look(self) -> None:
        """Tell of what the kernel has told so far."""
        if self._fd is None:
            return
        try:
            events = os.read(self._fd, RECEIVE)
        except BlockingIOError:
            return
        at = 0
        while at < len(events):
            watch, mask, _, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size + length
            number = self._watched.get(watch)
            if number is None:
                continue
            if mask & IN_IGNORED:
                del self._watched[watch]
                self._deleted(number)
            elif mask & IN_CLOSE_NOWRITE:
                self._closed(number)


def is_ours_alone(fd: int) -> bool:
    """Whether nobody but us has a file open or mapped; `fd` is our only descriptor of it, and writes.

    False also where the file system has no leases.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True

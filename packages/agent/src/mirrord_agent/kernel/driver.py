"""System calls that Python's os module lacks, through ctypes: each raises OSError as os does, and nothing else.

Their numbers and structures are in layouts.py. Who calls what, and why, is decided elsewhere.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import os
import platform
from collections.abc import Iterator

from mirrord_agent.kernel.layouts import (
    AT_EACCESS,
    AT_EMPTY_PATH,
    AT_NO_AUTOMOUNT,
    AT_STATX_DONT_SYNC,
    AT_SYMLINK_NOFOLLOW,
    CAPABILITY_DATA,
    CAPABILITY_HEADER,
    CAPABILITY_VERSION_3,
    DIRENT,
    FACCESSAT2,
    INOTIFY_EVENT,
    NS_GET_USERNS,
    NUMBERS,
    OPEN_HOW,
    OPENAT2,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    RESOLVE_CACHED,
    STATFS,
    STATX,
    STATX_BASIC_STATS,
    STATX_BTIME,
    STATX_MNT_ID,
)

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_LONG = ctypes.c_long
_numbers = NUMBERS.get(platform.machine(), NUMBERS["x86_64"])

STATX_SIZE = STATX.size
LISTING_SIZE = 1 << 16
INOTIFY_SIZE = 1 << 16


def machine_supported() -> bool:
    """Whether the numbers of this machine type are known."""
    return platform.machine() in NUMBERS


def _fail() -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code))


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """Open `path` below a directory's descriptor; close-on-exec is set."""
    how = OPEN_HOW.pack(flags | os.O_CLOEXEC, 0, resolve)
    while True:
        fd: int = _syscall(_LONG(OPENAT2), _LONG(directory), path, how, _LONG(OPEN_HOW.size))
        if fd >= 0:
            return fd
        # The kernel can't tell whether `..` stayed inside while something was renamed: ask again, as openat2(2) says.
        # With the other two, EAGAIN is the caller's answer: the path isn't cached, or a lease is in the way.
        if ctypes.get_errno() != errno.EAGAIN or resolve & RESOLVE_CACHED or flags & os.O_NONBLOCK:
            raise _fail()


def statx(fd: int, name: bytes = b"", *, wait: bool = True) -> tuple[int, ...]:
    """Return the fields of STATX for an entry of a directory, links not followed, or for a descriptor itself.

    Unless `wait`, a file system of another machine tells what it knows already.
    """
    buffer = ctypes.create_string_buffer(STATX_SIZE)
    flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (0 if name else AT_EMPTY_PATH) | (0 if wait else AT_STATX_DONT_SYNC)
    mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID
    if _syscall(_LONG(_numbers.statx), _LONG(fd), name, _LONG(flags), _LONG(mask), buffer) < 0:
        raise _fail()
    return STATX.unpack(buffer)


@functools.cache
def has_faccessat2() -> bool:
    """Whether the kernel checks access for effective rights (Linux 5.8)."""
    succeeded = _syscall(_LONG(FACCESSAT2), _LONG(-1), b"/", _LONG(0), _LONG(AT_EACCESS)) == 0
    return succeeded or ctypes.get_errno() != errno.ENOSYS


def accessible(fd: int, name: bytes, mode: int) -> bool:
    """Whether we may do `mode` (R_OK and so on) to an entry of a directory, or to a descriptor if `name` is empty."""
    if has_faccessat2():
        flags = AT_EACCESS | AT_SYMLINK_NOFOLLOW | (0 if name else AT_EMPTY_PATH)
        return bool(_syscall(_LONG(FACCESSAT2), _LONG(fd), name, _LONG(mode), _LONG(flags)) == 0)
    # The old call follows links and goes by the real ids, which are the effective ones since the agent took its rights.
    if not name:
        fd, name = -1, b"/proc/self/fd/%d" % fd
    return bool(_syscall(_LONG(_numbers.faccessat), _LONG(fd), name, _LONG(mode)) == 0)


def fstatfs(fd: int) -> tuple[int, ...]:
    """Return the fields of STATFS for the file system of a descriptor."""
    buffer = ctypes.create_string_buffer(STATFS.size)
    if _libc.fstatfs(fd, buffer) < 0:
        raise _fail()
    return STATFS.unpack(buffer)


def getdents(fd: int) -> list[tuple[bytes, int, int]]:
    """Return the next entries of a directory as (name, inode, type); empty at its end."""
    buffer = ctypes.create_string_buffer(LISTING_SIZE)
    size: int = _syscall(_LONG(_numbers.getdents64), _LONG(fd), buffer, _LONG(LISTING_SIZE))
    if size < 0:
        raise _fail()
    data, at, entries = buffer.raw, 0, []
    while at < size:
        inode, _, length, kind = DIRENT.unpack_from(data, at)
        start = at + DIRENT.size
        entries.append((data[start : data.index(b"\0", start)], inode, kind))
        at += length
    return entries


def getsockopt(fd: int, level: int, option: int, asked: bytes) -> bytes:
    """Return an option whose value begins with what is asked for, in as many bytes as `asked` has."""
    buffer = ctypes.create_string_buffer(asked, len(asked))
    if _libc.getsockopt(fd, level, option, buffer, ctypes.byref(ctypes.c_uint(len(asked)))) < 0:
        raise _fail()
    return buffer.raw


# ---------------------------------------------------------------------------------------------- inotify(7)


def inotify_open() -> int:
    """Return a new, non-blocking inotify descriptor."""
    fd: int = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        raise _fail()
    return fd


def inotify_add(inotify: int, fd: int, mask: int) -> int:
    """Watch what a descriptor means; return the watch's number, the same for the same inode."""
    number: int = _libc.inotify_add_watch(inotify, b"/proc/self/fd/%d" % fd, mask)
    if number < 0:
        raise _fail()
    return number


def inotify_remove(inotify: int, number: int) -> None:
    """Stop a watch; one that the kernel has ended already is no error."""
    if _libc.inotify_rm_watch(inotify, number) < 0 and ctypes.get_errno() != errno.EINVAL:
        raise _fail()


def inotify_read(inotify: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the waiting events: the watch's number, the mask, and whether it is about an entry of what is watched.

    Raises BlockingIOError if there are none.
    """
    data, at = os.read(inotify, INOTIFY_SIZE), 0
    while at < len(data):
        number, mask, _, length = INOTIFY_EVENT.unpack_from(data, at)
        yield number, mask, bool(length)
        at += INOTIFY_EVENT.size + length


# ---------------------------------------------------------------------------------------------- rights


def prctl(option: int, value: int) -> None:
    """Change one attribute of this process."""
    if _libc.prctl(option, _LONG(value), _LONG(0), _LONG(0), _LONG(0)) < 0:
        raise _fail()


def clear_ambient() -> None:
    """Give up ambient capabilities: those that a program started from here would keep."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)


def setns(fd: int, kind: int) -> None:
    """Enter a namespace."""
    if _libc.setns(fd, kind) < 0:
        raise _fail()


def owner_in_reach(namespace: int) -> bool:
    """Whether the user namespace that owns a namespace is ours or below ours: there our capabilities count."""
    try:
        os.close(fcntl.ioctl(namespace, NS_GET_USERNS))
    except PermissionError:
        return False
    return True


def capget() -> tuple[int, int]:
    """Return our effective and permitted capabilities as bit sets."""
    buffer = ctypes.create_string_buffer(CAPABILITY_DATA.size)
    if _syscall(_LONG(_numbers.capget), CAPABILITY_HEADER.pack(CAPABILITY_VERSION_3, 0), buffer) < 0:
        raise _fail()
    effective, permitted, _, effective_high, permitted_high, _ = CAPABILITY_DATA.unpack(buffer)
    return effective | effective_high << 32, permitted | permitted_high << 32


def capset(capabilities: int) -> None:
    """Make the bit set `capabilities` our effective and permitted ones; nothing is inheritable."""
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    data = CAPABILITY_DATA.pack(low, low, 0, high, high, 0)
    if _syscall(_LONG(_numbers.capset), CAPABILITY_HEADER.pack(CAPABILITY_VERSION_3, 0), data) < 0:
        raise _fail()

"""The calls behind each request about files, below the target's root. They may wait: server.py makes them in threads.

Each has a way without waiting, for what the kernel has in its caches: it raises BlockingIOError where it would wait.
What the answers mean is decided in machine.py, how paths are resolved in walk/.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from dataclasses import dataclass

from mirrord_agent.files.listing.driver import Listing, stat_of
from mirrord_agent.files.machine import CHUNK, check_range, following, form_of, system_flags, to_file_system
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.walk.machine import check_path, os_error, plain
from mirrord_agent.files.watches.driver import Watches
from mirrord_agent.kernel import driver as kernel
from mirrord_agent.kernel.layouts import O_PATH, TRUE_SIZES
from mirrord_protocol.values import FileSystem, Form, OpenFlag, Stat

DEVICES_LIMIT = 1024
"""Devices remembered as this machine's own; enough for every mount of a target."""


class OpenFile:
    """A descriptor that threads may use: closed when nobody uses it any more, so that its number isn't taken early."""

    def __init__(self, fd: int | None, form: Form) -> None:
        self.form = form
        self._fd = fd
        self._users = 0
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> int:
        with self._lock:
            if self._closed:
                raise os_error(errno.EBADF)
            if self._fd is None:
                raise os_error(errno.EISDIR)
            self._users += 1
            return self._fd

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            self._release()

    def close(self) -> None:
        """Close it as soon as nobody uses it."""
        with self._lock:
            self._closed = True
            self._release()

    def _release(self) -> None:
        if self._closed and not self._users and self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def read(self, offset: int, length: int) -> bytes:
        """Read at most CHUNK bytes at an offset; may wait."""
        with self as fd:
            return os.pread(fd, min(check_range(offset, length), CHUNK), offset)

    def read_cached(self, offset: int, length: int) -> bytes:
        """Do the same without waiting, for a regular file; what comes may be short."""
        with self as fd:
            buffer = bytearray(min(check_range(offset, length), CHUNK))
            size = _read_cached(fd, buffer, offset)
            return bytes(memoryview(buffer)[:size])

    def read_on(self, length: int) -> bytes:
        """Read what comes next of a stream; raises BlockingIOError if nothing is there."""
        with self as fd:
            return os.read(fd, length)


def _read_cached(fd: int, buffer: bytearray, offset: int) -> int:
    """Read what the page cache has; raises BlockingIOError where that is nothing, or can't be known."""
    try:
        return os.preadv(fd, [buffer], offset, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
            raise BlockingIOError from None
        raise


def _device(fields: tuple[int, ...]) -> tuple[int, ...]:
    """Return the device and the mount from the fields of a statx."""
    return fields[-3:]


@dataclass(frozen=True, slots=True)
class Found:
    """What an open found."""

    stat: Stat
    form: Form
    file: OpenFile | None
    """None where there is no handle."""
    first: bytes = b""
    """The beginning of what follows."""
    following: int = 0
    """How many bytes follow, unless the file shrinks."""

    def close(self) -> None:
        """Let go of it."""
        if self.file:
            self.file.close()


class Files:
    """The files of one target."""

    def __init__(self, paths: Paths, watches: Watches) -> None:
        self._paths = paths
        self._watches = watches
        self._own_devices: set[tuple[int, ...]] = set()
        """Devices and mounts of file systems that are this machine's alone: their cached inodes can be used at once."""

    # ------------------------------------------------------------------------------------------ stats

    def stat(self, path: bytes, *, follow: bool, cached: bool = False) -> Stat:
        """Return a path's stat."""
        check_path(path)
        flags = O_PATH if follow else O_PATH | os.O_NOFOLLOW
        fd = self._open_known(path, flags) if cached else self._paths.open(path, flags)
        try:
            if not cached:
                self._learn(fd)
            return stat_of(fd)
        finally:
            os.close(fd)

    def _open_known(self, path: bytes, flags: int) -> int:
        """Open by the kernel's caches alone, on a file system known to be this machine's."""
        if not self._paths.can_cache:
            raise BlockingIOError
        fd = self._paths.open_cached(path, flags)
        known = False
        try:
            known = _device(kernel.statx(fd, wait=False)) in self._own_devices
        finally:
            if not known:
                os.close(fd)
        if not known:
            raise BlockingIOError
        return fd

    def _learn(self, fd: int) -> int:
        """Return the type of a descriptor's file system, and remember it if it is this machine's."""
        kind = kernel.fstatfs(fd)[0]
        if kind in TRUE_SIZES:
            if len(self._own_devices) >= DEVICES_LIMIT:
                self._own_devices.clear()
            self._own_devices.add(_device(kernel.statx(fd)))
        return kind

    def file_system(self, path: bytes) -> FileSystem:
        """Return what statfs says of the file system that a path leads to."""
        check_path(path)
        fd = self._paths.open(path, O_PATH)
        try:
            return to_file_system(kernel.fstatfs(fd))
        finally:
            os.close(fd)

    # ------------------------------------------------------------------------------------------ links

    def readlink(self, path: bytes) -> bytes:
        """Return what a link holds."""
        check_path(path)
        return self._paths.readlink(path)

    def realpath(self, path: bytes) -> bytes:
        """Return the path without links of what a path leads to."""
        check_path(path)
        clean = plain(path)
        if clean is not None and (fd := self._paths.open_straight(path, O_PATH)) is not None:
            os.close(fd)
            return clean
        return self._paths.realpath(path)

    # ------------------------------------------------------------------------------------------ opening

    def open(self, path: bytes, flags: OpenFlag, content: int, head: int, *, cached: bool = False) -> Found:
        """Open a path for reading, and read the beginning of what follows."""
        check_path(path)
        system = system_flags(flags)
        if cached:
            os.close(self._open_known(path, O_PATH | system & (os.O_NOFOLLOW | os.O_DIRECTORY)))
        if flags & OpenFlag.PATH_ONLY:
            only = O_PATH | system & (os.O_NOFOLLOW | os.O_DIRECTORY)
            return self._only(self._open_known(path, only) if cached else self._paths.open(path, only))
        opened = self._open_quietly(path, system, cached=cached, strict=bool(flags & OpenFlag.NO_ACCESS_TIME))
        file = OpenFile(opened, Form.NOTHING)
        try:
            found = self._look(file, opened, content, head, cached=cached)
        except OSError:
            file.close()
            raise
        if found.form == Form.DIRECTORY:
            file.close()
        return found

    def _open_quietly(self, path: bytes, system: int, *, cached: bool, strict: bool) -> int:
        """Open without leaving a trace in the access time, where the target's user may; `strict`: or not at all."""
        call = self._paths.open_cached if cached else self._paths.open
        try:
            return call(path, system | os.O_NOATIME)
        except PermissionError as error:
            if strict or error.errno != errno.EPERM:
                raise
        return call(path, system)

    @staticmethod
    def _only(fd: int) -> Found:
        try:
            return Found(stat_of(fd), Form.NOTHING, None)
        finally:
            os.close(fd)

    def _look(self, file: OpenFile, fd: int, content: int, head: int, *, cached: bool) -> Found:
        if cached and not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BlockingIOError
        seen = stat_of(fd)
        kind = next(iter(TRUE_SIZES)) if cached else self._learn(fd)
        file.form = form_of(seen.mode, seen.size, kind, content)
        if file.form == Form.DIRECTORY:
            return Found(seen, file.form, OpenFile(None, file.form))
        size = following(file.form, seen.size, head)
        first = b""
        if size:
            want = min(size, CHUNK)
            first = file.read_cached(0, want) if cached else file.read(0, want)
            if cached and len(first) < want:
                raise BlockingIOError
        return Found(seen, file.form, file, first, size)

    # ------------------------------------------------------------------------------------------ listing

    def list(self, id_: int, path: bytes, *, watch: bool) -> Listing:
        """Open a directory for listing and begin to watch it, if that shows every change."""
        check_path(path)
        flags = os.O_RDONLY | os.O_DIRECTORY
        straight = self._paths.open_straight(path, flags) if watch else None
        fd = self._paths.open(path, flags) if straight is None else straight
        listing = Listing(fd, self._paths, path)
        try:
            if self._learn(fd) in TRUE_SIZES and straight is not None:
                listing.watch = self._watches.begin(id_, self._paths, path, fd)
            listing.begin()
        except OSError:
            listing.close()
            self._watches.drop(id_)
            raise
        return listing

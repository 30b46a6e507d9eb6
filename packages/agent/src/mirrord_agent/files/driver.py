"""The calls behind each request about files, below the target's root. They may wait: server.py makes them in threads.

Each has a way without waiting, for what the kernel has in its caches: it raises BlockingIOError where it would wait.
What the answers mean is decided in machine.py, how paths are resolved in walk/.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

from mirrord_agent.files.listing.driver import Listing, stat_of
from mirrord_agent.files.machine import (
    CHUNK,
    check_range,
    following,
    form_of,
    may_read_cached,
    never_waits,
    system_flags,
    to_file_system,
)
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.walk.machine import check_path, os_error, plain
from mirrord_agent.files.watches.driver import Watches
from mirrord_agent.kernel import driver as kernel
from mirrord_agent.kernel.layouts import O_PATH, TRUE_SIZES
from mirrord_agent.workers.driver import Descriptor
from mirrord_protocol.values import FileSystem, Form, OpenFlag, Stat

MOUNTS_LIMIT = 1024
"""File systems remembered as this machine's own; enough for every mount of a target."""


@dataclass(slots=True)
class Mount:
    """What was learnt of a mounted file system."""

    kind: int
    tells: bool = True
    """Whether it can read what is cached without waiting for the rest; overlayfs can't."""


class OpenFile:
    """What a handle stands for."""

    def __init__(self, descriptor: Descriptor | None, form: Form, mount: Mount, *, ready: bool = False) -> None:
        self.form = form
        self.ready = ready
        """Whether reading never waits: it is in memory, or a FIFO that says so if nothing is there."""
        self._descriptor = descriptor
        self._mount = mount

    @property
    def descriptor(self) -> Descriptor:
        """What is read; raises OSError(EISDIR) for a directory, which has none."""
        if self._descriptor is None:
            raise os_error(errno.EISDIR)
        return self._descriptor

    def close(self) -> None:
        """Close it as soon as nobody uses it."""
        if self._descriptor is not None:
            self._descriptor.close()

    def read(self, offset: int, length: int, *, cached: bool = False) -> bytes:
        """Read at most CHUNK bytes at an offset; `cached`: without waiting, and what comes may be short."""
        size = min(check_range(offset, length), CHUNK)
        with self.descriptor as fd:
            if self.ready or not cached:
                return os.pread(fd, size, offset)
            return _read_cached(fd, size, offset, self._mount)

    def read_on(self, length: int) -> bytes:
        """Read what comes next of a stream; raises BlockingIOError if nothing is there."""
        with self.descriptor as fd:
            return os.read(fd, length)


def _read_cached(fd: int, size: int, offset: int, mount: Mount) -> bytes:
    """Read what the page cache has; raises BlockingIOError where that is nothing, or can't be known."""
    if not mount.tells:
        raise BlockingIOError
    buffer = bytearray(size)
    try:
        return bytes(memoryview(buffer)[: os.preadv(fd, [buffer], offset, os.RWF_NOWAIT)])
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
            mount.tells = False
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
        self._own_mounts: dict[tuple[int, ...], Mount] = {}
        """File systems that are this machine's alone: their cached inodes can be used at once."""

    # ------------------------------------------------------------------------------------------ stats

    def stat(self, path: bytes, *, follow: bool, cached: bool = False) -> Stat:
        """Return a path's stat."""
        check_path(path)
        fd, _ = self._open_path(path, O_PATH if follow else O_PATH | os.O_NOFOLLOW, cached=cached)
        try:
            return stat_of(fd)
        finally:
            os.close(fd)

    def _open_path(self, path: bytes, flags: int, *, cached: bool) -> tuple[int, Mount]:
        """Open; return the file system too. `cached`: without waiting, which only our own allow."""
        if cached and not self._paths.can_cache:
            raise BlockingIOError
        fd = self._paths.open_cached(path, flags) if cached else self._paths.open(path, flags)
        mount = None
        try:
            mount = self._own_mounts.get(_device(kernel.statx(fd, wait=False))) if cached else self._learn(fd)
        finally:
            if mount is None:
                os.close(fd)
        if mount is None:
            raise BlockingIOError
        return fd, mount

    def _learn(self, fd: int) -> Mount:
        """Return a descriptor's file system, and remember it if it is this machine's."""
        kind = kernel.fstatfs(fd)[0]
        if kind not in TRUE_SIZES:
            return Mount(kind)
        if len(self._own_mounts) >= MOUNTS_LIMIT:
            self._own_mounts.clear()
        mount = self._own_mounts.setdefault(_device(kernel.statx(fd)), Mount(kind))
        mount.kind = kind  # a number may have been given to another file system
        return mount

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
        mount = None
        if cached or flags & OpenFlag.PATH_ONLY:
            fd, mount = self._open_path(path, O_PATH | system & (os.O_NOFOLLOW | os.O_DIRECTORY), cached=cached)
            try:
                if flags & OpenFlag.PATH_ONLY:
                    return Found(stat_of(fd), Form.NOTHING, None)
                if not stat.S_ISREG(os.fstat(fd).st_mode) or not may_read_cached(mount.kind, tells=mount.tells):
                    raise BlockingIOError  # opening a device may wait, too
            finally:
                os.close(fd)
        fd = self._open_quietly(path, system, cached=cached, strict=bool(flags & OpenFlag.NO_ACCESS_TIME))
        descriptor = Descriptor(fd)
        keep = False
        try:
            found = self._look(descriptor, fd, mount or self._learn(fd), content, head, cached=cached)
            keep = found.form != Form.DIRECTORY
            return found
        finally:
            if not keep:
                descriptor.close()

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
    def _look(descriptor: Descriptor, fd: int, mount: Mount, content: int, head: int, *, cached: bool) -> Found:
        seen = stat_of(fd)
        form = form_of(seen.mode, seen.size, mount.kind, content)
        if form == Form.DIRECTORY:
            return Found(seen, form, OpenFile(None, form, mount))
        file = OpenFile(descriptor, form, mount, ready=never_waits(seen.mode, mount.kind))
        size = following(form, seen.size, head)
        first = b""
        if size:
            first = file.read(0, size, cached=cached)
            if cached and len(first) < min(size, CHUNK):
                raise BlockingIOError
        return Found(seen, form, file, first, size)

    # ------------------------------------------------------------------------------------------ listing

    def list(self, id_: int, path: bytes, *, watch: bool) -> Listing:
        """Open a directory for listing and begin to watch it, if that shows every change."""
        check_path(path)
        flags = os.O_RDONLY | os.O_DIRECTORY
        straight = self._paths.open_straight(path, flags) if watch else None
        fd = self._paths.open(path, flags) if straight is None else straight
        listing = Listing(Descriptor(fd), self._paths, path)
        try:
            if self._learn(fd).kind in TRUE_SIZES and straight is not None:
                listing.watch = self._watches.begin(id_, self._paths, path, fd)
            listing.begin()
        except OSError:
            listing.close()
            self._watches.drop(id_)
            raise
        return listing

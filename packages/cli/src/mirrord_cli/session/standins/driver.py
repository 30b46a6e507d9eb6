"""Makes stand-ins: sealed memory, temporary files, removed directories; hands out reopenings of them, and lets them go.

Each has a number, chosen by ../machine.py, which also decides how long the session keeps a descriptor of its own.
All calls raise OSError: EMFILE and ENOSPC are answers that a program gets.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress

import trio

from mirrord_cli.session.holders.driver import Holders, is_ours_alone
from mirrord_protocol.values import Stat

PREFIX = "mirrord-"
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
QUICK = 1 << 24
"""Reserving more bytes than these may take long, so that a thread does it."""
Identity = tuple[int, int]


class StandIns:
    """The stand-ins that the session has descriptors of.

    Args:
        folder: Where temporary files and directories are made.
        vanished: Called with the number of a released stand-in that nobody holds any more.
        unheld: Called with the number of a large file that no program has open just now.
    """

    def __init__(self, folder: bytes, vanished: Callable[[int], None], unheld: Callable[[int], None]) -> None:
        self._folder = folder
        self._fds: dict[int, int] = {}
        self._vanished = vanished
        self._unheld = unheld
        self.holders = Holders(vanished, self._closed)

    def close(self) -> None:
        """Let all go; what programs hold stays theirs."""
        self.holders.close()
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def devices(self) -> tuple[int, int, int]:
        """Return the devices of memory, temporary files and stand-in directories, by making one of each."""
        made = [_memory("mirrord-device"), self._temporary(), self._directory()]
        devices = [os.fstat(fd).st_dev for fd in made]
        for fd in made:
            os.close(fd)
        return devices[0], devices[1], devices[2]

    # ------------------------------------------------------------------------------------------ making

    def make_whole(self, number: int, content: bytes, status: Stat) -> Identity:
        """Make sealed memory with a file's content, its mode and times."""
        fd = _memory("mirrord-file")
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
            _dress(fd, status)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
        except OSError:
            os.close(fd)
            raise
        return self._add(number, fd)

    async def make_large(self, number: int, size: int, head: bytes, reserved: int) -> Identity:
        """Make a file of full size whose beginning is there, with room for `reserved` bytes of it."""
        fd = self._temporary()
        try:
            os.ftruncate(fd, size)
            if reserved > QUICK:
                await trio.to_thread.run_sync(os.posix_fallocate, fd, 0, reserved)
            elif reserved:
                os.posix_fallocate(fd, 0, reserved)
            os.pwrite(fd, head, 0)
            os.fchmod(fd, stat.S_IRUSR)  # nobody opens it again for writing, through /proc
        except BaseException:
            os.close(fd)
            self.holders.look()  # the disk may be full of what has just been closed
            raise
        identity = self._add(number, fd)
        self.holders.watch(number, fd, own=True)
        return identity

    def make_directory(self, number: int) -> Identity:
        """Make an empty directory that is already removed."""
        return self._add(number, self._directory())

    def _add(self, number: int, fd: int) -> Identity:
        self._fds[number] = fd
        status = os.fstat(fd)
        return status.st_dev, status.st_ino

    def _temporary(self) -> int:
        with suppress(OSError):  # a file system that has no nameless files
            return os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fd, name = tempfile.mkstemp(dir=self._folder, prefix=PREFIX.encode())
        os.unlink(name)
        return fd

    def _directory(self) -> int:
        name = tempfile.mkdtemp(dir=self._folder, prefix=PREFIX.encode())
        try:
            return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        finally:
            os.rmdir(name)

    # ------------------------------------------------------------------------------------------ filling

    def write(self, number: int, offset: int, chunks: Sequence[bytes | memoryview]) -> int:
        """Put bytes that arrived into a large file; return how many, 0 if it was released meanwhile."""
        fd = self._fds.get(number)
        if fd is None:
            return 0
        size = sum(map(len, chunks))
        written = os.pwritev(fd, chunks, offset)
        if written < size:  # a full disk, or nearly: one that isn't local says so late
            rest = b"".join(chunks)
            while written < size:
                written += os.pwrite(fd, rest[written:], offset + written)
        return size

    def complete(self, number: int, status: Stat) -> None:
        """Give a large file, all of which is there, its mode and times; nothing is written any more."""
        fd = self._fds[number]
        _dress(fd, status, ~0o222)  # unlike memory it can't be sealed
        with suppress(OSError):  # no descriptor left: then this one must do
            self._fds[number] = _reopen(fd)  # nobody may execute a file that someone may write
            os.close(fd)

    def _closed(self, number: int) -> None:
        fd = self._fds.get(number)
        if fd is not None and is_ours_alone(fd):
            self._unheld(number)

    # ------------------------------------------------------------------------------------------ handing out

    def reopen(self, number: int) -> int:
        """Return a new read-only descriptor of a stand-in, with an offset of its own."""
        return _reopen(self._fds[number])

    def release(self, number: int) -> None:
        """Let go of the session's own descriptor; `vanished` is called when nobody holds the stand-in any more.

        Where the kernel can't tell, the descriptor is kept: better a descriptor too many than an inode used twice.
        """
        fd = self._fds[number]
        if self.holders.watch(number, fd, own=False):
            del self._fds[number]
            os.close(fd)

    def listing(self, data: bytes) -> int:
        """Return a descriptor of memory that holds a listing."""
        fd = _memory("mirrord-listing")
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            return _reopen(fd)
        finally:
            os.close(fd)


def _memory(name: str) -> int:
    return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _reopen(fd: int) -> int:
    return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)


def _dress(fd: int, status: Stat, mask: int = 0o777) -> None:
    """Give a stand-in the mode and times of what it stands for; we must be able to open it again ourselves."""
    mode = stat.S_IMODE(status.mode) & 0o777 & mask | stat.S_IRUSR
    try:
        os.fchmod(fd, mode)
    except PermissionError:  # a system that forbids executable memory
        os.fchmod(fd, mode & ~0o111)
    os.utime(fd, ns=(status.accessed, status.modified))

"""Reads a directory in pieces: names from the kernel, a stat for each, as bytes of the protocol.

What a stat means is in files/machine.py. The directory is held open until the listing ends, so that it goes on where
it was, whatever is renamed meanwhile.
"""

from __future__ import annotations

import os
import stat

from mirrord_agent.files.machine import ENTRIES, access_questions, to_stat
from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.watches.driver import Watch
from mirrord_agent.kernel import driver as kernel
from mirrord_agent.kernel.layouts import O_PATH, STATX_BTIME
from mirrord_agent.workers.driver import Descriptor
from mirrord_protocol.chunks import encode_chunk
from mirrord_protocol.values import DirectoryEntry, Stat

DOTS = (b".", b"..")
DT_UNKNOWN = 0
DT_DIR = 4


def stat_of(fd: int, name: bytes = b"") -> Stat:
    """Return the stat of a descriptor, or of an entry of a directory, and what we may do with it."""
    fields = kernel.statx(fd, name)
    allowed = 0
    for index, mode in enumerate(access_questions(fields[5])):
        if kernel.accessible(fd, name, mode):
            allowed |= mode
            if not index:
                break
    return to_stat(fields, allowed, born=STATX_BTIME)


class Listing:
    """A directory that is being listed."""

    def __init__(self, descriptor: Descriptor, paths: Paths, path: bytes) -> None:
        self._descriptor = descriptor
        self._paths = paths
        self._path = path
        self._waiting: list[tuple[bytes, int, int]] = []
        self._read = False
        self.stat: Stat
        """The directory's own."""
        self.first = b""
        self.watch: Watch | None = None

    @property
    def ended(self) -> bool:
        """Whether there are no more entries."""
        return self._read and not self._waiting

    def begin(self) -> None:
        """Take the directory's own stat and its first entries."""
        with self._descriptor as fd:
            self.stat = stat_of(fd)
            parent = self._parent()
            dots = [
                DirectoryEntry(b".", self.stat.inode, DT_DIR, self.stat),
                DirectoryEntry(b"..", parent.inode if parent else self.stat.inode, DT_DIR, parent),
            ]
            self.first = encode_chunk([*dots, *self._take(fd)])

    def _parent(self) -> Stat | None:
        """Return the stat of what `..` means here: found by the path, which never leads out of the target's root."""
        try:
            fd = self._paths.open(self._path + b"/..", O_PATH | os.O_DIRECTORY)
        except OSError:
            return None
        try:
            return stat_of(fd)
        finally:
            os.close(fd)

    def next(self) -> bytes:
        """Return the next chunk of entries."""
        with self._descriptor as fd:
            return encode_chunk(self._take(fd))

    def _take(self, fd: int) -> list[DirectoryEntry]:
        while not self._read and len(self._waiting) < ENTRIES:
            more = kernel.getdents(fd)
            self._read = not more
            self._waiting += (entry for entry in more if entry[0] not in DOTS)
        taken, self._waiting = self._waiting[:ENTRIES], self._waiting[ENTRIES:]
        return [self._entry(fd, *entry) for entry in taken]

    def _entry(self, fd: int, name: bytes, inode: int, kind: int) -> DirectoryEntry:
        if self.watch and kind in {DT_DIR, DT_UNKNOWN}:
            self.watch.add_folder(fd, name)
        try:
            seen = stat_of(fd, name)
            if self.watch and seen.links > 1 and stat.S_ISREG(seen.mode):
                self.watch.add_file(fd, name)
                seen = stat_of(fd, name)
        except OSError:
            return DirectoryEntry(name, inode, kind)
        return DirectoryEntry(name, inode, kind or stat.S_IFMT(seen.mode) >> 12, seen)

    def close(self) -> None:
        """End it."""
        self._descriptor.close()

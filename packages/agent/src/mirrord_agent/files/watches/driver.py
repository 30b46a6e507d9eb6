"""Watches directories with inotify(7): adds what a listing needs from a thread, reads events in the event loop.

Which listing has changed is decided in machine.py. What inotify can't see: stores through a shared mapping, times of
reading, and mounts.
"""

from __future__ import annotations

import os
import threading

from mirrord_agent.files.walk.driver import Paths
from mirrord_agent.files.walk.machine import plain
from mirrord_agent.files.watches.machine import Interest, WatchTable
from mirrord_agent.kernel import driver as kernel
from mirrord_agent.kernel.layouts import IN_MASK_ADD, O_PATH

LISTINGS_LIMIT = 1024
WATCHES_LIMIT = 256
"""For one listing. A directory with more folders in it isn't watched: its watches would take longer than its listing."""


class Watches:
    """All watches of a session."""

    def __init__(self) -> None:
        self.inotify = kernel.inotify_open()
        self._table = WatchTable()
        self._lock = threading.Lock()  # so that no event is read between a watch's beginning and its entry in the table

    def begin(self, id_: int, paths: Paths, path: bytes, fd: int) -> Watch | None:
        """Watch a directory and what leads to it; None where that can't be done. May wait, but not for long."""
        clean = plain(path)
        with self._lock:
            if clean is None or len(self._table) >= LISTINGS_LIMIT:
                return None
            self._table.begin(id_)
        watch = Watch(self, id_)
        watch.add(fd, Interest.LISTED)
        names = clean.strip(b"/").split(b"/")
        for depth in range(len(names)):
            watch.add_path(paths, b"/" + b"/".join(names[:depth]), Interest.ABOVE)
        if not watch.holds or not _same(paths, path, fd):
            self.drop(id_)
            return None
        return watch

    def add(self, id_: int, fd: int, interest: Interest) -> None:
        """Watch what a descriptor means; where that can't be done the listing isn't watched any more."""
        with self._lock:
            if not self._table.knows(id_):
                return
            if self._table.count(id_) < WATCHES_LIMIT:
                try:
                    number = kernel.inotify_add(self.inotify, fd, interest.mask | IN_MASK_ADD)
                except OSError:  # no right to read it, or too many watches for this user
                    pass
                else:
                    self._table.add(id_, number, interest)
                    return
            self._remove(self._table.drop(id_).unused)

    def knows(self, id_: int) -> bool:
        """Whether a listing is still watched."""
        with self._lock:
            return self._table.knows(id_)

    def drop(self, id_: int) -> None:
        """Watch a listing no more."""
        with self._lock:
            self._remove(self._table.drop(id_).unused)

    def read(self) -> set[int]:
        """Return the listings that have changed since the last time; never waits."""
        changed: set[int] = set()
        with self._lock:
            try:
                for number, mask, entry in kernel.inotify_read(self.inotify):
                    outcome = self._table.happened(number, mask, entry=entry)
                    changed |= outcome.changed
                    self._remove(outcome.unused)
            except BlockingIOError:
                pass
        return changed

    def _remove(self, numbers: frozenset[int]) -> None:
        for number in numbers:
            kernel.inotify_remove(self.inotify, number)

    def close(self) -> None:
        """End all of them."""
        os.close(self.inotify)


class Watch:
    """The watches of one listing."""

    def __init__(self, watches: Watches, id_: int) -> None:
        self._watches = watches
        self._id = id_

    @property
    def holds(self) -> bool:
        """Whether every change so far would have been seen, and none was."""
        return self._watches.knows(self._id)

    def add(self, fd: int, interest: Interest) -> None:
        """Watch what a descriptor means."""
        self._watches.add(self._id, fd, interest)

    def add_path(self, paths: Paths, path: bytes, interest: Interest) -> None:
        """Watch a folder on the way."""
        self._add_opened(paths.open_straight(path, O_PATH | os.O_DIRECTORY), interest)

    def add_folder(self, folder: int, name: bytes) -> None:
        """Watch a folder in the directory, if it is one."""
        self._add_entry(folder, name, O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, Interest.FOLDER)

    def add_file(self, folder: int, name: bytes) -> None:
        """Watch a file in the directory."""
        self._add_entry(folder, name, O_PATH | os.O_NOFOLLOW, Interest.LINKED)

    def _add_entry(self, folder: int, name: bytes, flags: int, interest: Interest) -> None:
        try:
            fd = kernel.openat2(folder, name, flags, 0)
        except OSError:  # it vanished, which the directory tells, or it is no folder
            return
        self._add_opened(fd, interest)

    def _add_opened(self, fd: int | None, interest: Interest) -> None:
        if fd is None:  # a link has come in between
            self._watches.drop(self._id)
            return
        try:
            self.add(fd, interest)
        finally:
            os.close(fd)


def _same(paths: Paths, path: bytes, fd: int) -> bool:
    """Whether a path still leads to what was opened before it was watched."""
    again = paths.open_straight(path, O_PATH | os.O_DIRECTORY)
    if again is None:
        return False
    try:
        return os.path.sameopenfile(again, fd)
    finally:
        os.close(again)

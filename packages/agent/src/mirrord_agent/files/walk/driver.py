"""Opens paths below the target's root, in one call where that is right, else name by name.

What a name leads to next is decided in machine.py. Nothing outside of the target's root is ever opened: the kernel's
own resolution is bound to it by openat2(2), and the walk opens single names that aren't links.
"""

from __future__ import annotations

import errno
import os
import stat

from mirrord_agent.files.walk.machine import PROC_ROOT_INODE, SELF, THREAD_SELF, Walk, os_error, proc_link
from mirrord_agent.kernel import driver as kernel
from mirrord_agent.kernel.layouts import (
    O_PATH,
    RESOLVE_CACHED,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    Magic,
)
from mirrord_agent.target.machine import parse_stat

LINK_LIMIT = 4096
INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
TRY_BLOCKING = 8
"""So often EAGAIN may be the kernel's doubt about `..`; after that it is a lease on the file."""


class Paths:
    """The paths of one target."""

    def __init__(self, root: int, *, process_ids: tuple[int, ...], start: int, outside_root: bytes) -> None:
        self.root = root
        self._process_ids = process_ids
        self._start = start
        self._outside_root = outside_root
        self.can_cache = _knows_cached(root)
        """Whether this kernel can tell that a path isn't cached (Linux 5.12)."""

    # ------------------------------------------------------------------------------------------ opening

    def open_cached(self, path: bytes, flags: int) -> int:
        """Open without waiting, or raise BlockingIOError. Only right for what isn't in /proc: the caller must look."""
        try:
            return kernel.openat2(self.root, path, flags, INSIDE | RESOLVE_CACHED)
        except BlockingIOError:
            raise
        except OSError:
            # Over a link in /proc, it may be another file that can't be opened.
            if self._leads_over_links(path, RESOLVE_CACHED):
                raise BlockingIOError from None
            raise

    def open(self, path: bytes, flags: int) -> int:
        """Open what a path leads to; may wait."""
        try:
            fd = self._open_at_once(path, flags)
        except OSError:
            if not self._leads_over_links(path):
                raise
            return self._open_by_walk(path, flags)
        right = False
        try:
            right = kernel.fstatfs(fd)[0] != Magic.PROC or not self._leads_over_links(path)
        finally:
            if not right:
                os.close(fd)
        return fd if right else self._open_by_walk(path, flags)

    def _open_at_once(self, path: bytes, flags: int) -> int:
        for _ in range(TRY_BLOCKING):
            try:
                return kernel.openat2(self.root, path, flags, INSIDE)
            except BlockingIOError:
                continue
        return kernel.openat2(self.root, path, flags & ~os.O_NONBLOCK, INSIDE)

    def open_straight(self, path: bytes, flags: int, resolve: int = 0) -> int | None:
        """Open a path that leads over no links; None if it leads over one."""
        try:
            return kernel.openat2(self.root, path, flags, INSIDE | RESOLVE_NO_SYMLINKS | resolve)
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise

    def _leads_over_links(self, path: bytes, resolve: int = 0) -> bool:
        try:
            fd = self.open_straight(path, O_PATH, resolve)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if fd is not None:
            os.close(fd)
        return fd is None

    # ------------------------------------------------------------------------------------------ walking

    def _open_by_walk(self, path: bytes, flags: int) -> int:
        trail = _Trail(self.root)
        try:
            name = self._walk(trail, path, follow=not flags & os.O_NOFOLLOW)
            if name is None:
                return kernel.openat2(trail.top, b".", flags, 0)
            return kernel.openat2(trail.below_top, name, flags | os.O_NOFOLLOW, RESOLVE_NO_MAGICLINKS)
        finally:
            trail.close()

    def realpath(self, path: bytes) -> bytes:
        """Return a path without links to what `path` leads to; may wait."""
        trail = _Trail(self.root)
        try:
            self._walk(trail, path, follow=True)
            return b"/" + b"/".join(trail.names)
        finally:
            trail.close()

    def readlink(self, path: bytes) -> bytes:
        """Return what a link holds, as the target would read it; may wait."""
        trail = _Trail(self.root)
        try:
            name = self._walk(trail, path, follow=False)
            if name is None or not stat.S_ISLNK(os.fstat(trail.top).st_mode):
                raise os_error(errno.EINVAL)
            return self._text(trail.below_top, name, trail.top)
        finally:
            trail.close()

    def _walk(self, trail: _Trail, path: bytes, *, follow: bool) -> bytes | None:
        """Walk to a path's end, the trail's top; return its name there, or None if it is a folder reached by dots."""
        walk, last = Walk(path, follow=follow), None
        while (name := walk.take()) is not None:
            if name in {b".", b".."}:
                os.close(kernel.openat2(trail.top, b".", O_PATH | os.O_DIRECTORY, 0))  # or the error of a non-folder
                if name == b"..":
                    trail.climb()
                last = None
                continue
            fd = kernel.openat2(trail.top, name, O_PATH | os.O_NOFOLLOW, RESOLVE_NO_MAGICLINKS)
            if stat.S_ISLNK(os.fstat(fd).st_mode) and walk.follows:
                try:
                    text = self._text(trail.top, name, fd)
                finally:
                    os.close(fd)
                if walk.follow(text):
                    trail.restart()
                last = None
                continue
            trail.enter(name, fd)
            last = name
        return last

    def _text(self, folder: int, name: bytes, link: int) -> bytes:
        in_proc = kernel.fstatfs(link)[0] == Magic.PROC
        in_proc_root = in_proc and os.fstat(folder).st_ino == PROC_ROOT_INODE
        if not in_proc:
            return os.readlink(b"", dir_fd=link)
        process_id, text = 0, b""
        if in_proc_root and name in {SELF, THREAD_SELF}:
            process_id = self._process_id(folder)
        else:
            text = os.readlink(b"", dir_fd=link)
        return proc_link(name, text, in_proc_root=in_proc_root, process_id=process_id, outside_root=self._outside_root)

    def _process_id(self, proc: int) -> int:
        """Return the target's PID in the PID namespace of a /proc."""
        for pid in self._process_ids:
            try:
                fd = os.open(b"%d/stat" % pid, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
            except OSError:
                continue
            try:
                if parse_stat(os.read(fd, LINK_LIMIT)).start == self._start:
                    return pid
            except ProcessLookupError:
                continue
            finally:
                os.close(fd)
        raise os_error(errno.ENOENT)


class _Trail:
    """The folders from the root to where a walk has come, each held open, so that `..` goes back the way it came."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._held: list[int] = []
        self.names: list[bytes] = []

    @property
    def top(self) -> int:
        return self._held[-1] if self._held else self._root

    @property
    def below_top(self) -> int:
        return self._held[-2] if len(self._held) > 1 else self._root

    def enter(self, name: bytes, fd: int) -> None:
        self._held.append(fd)
        self.names.append(name)

    def climb(self) -> None:
        if self._held:
            os.close(self._held.pop())
            self.names.pop()

    def restart(self) -> None:
        while self._held:
            self.climb()

    def close(self) -> None:
        self.restart()


def _knows_cached(root: int) -> bool:
    try:
        os.close(kernel.openat2(root, b"/", O_PATH, INSIDE | RESOLVE_CACHED))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True

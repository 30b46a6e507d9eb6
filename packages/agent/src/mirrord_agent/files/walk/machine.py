"""A path's walk, one name after another, where the kernel can't do it in one go; and what a link in /proc means. No I/O.

driver.py looks the names up. The kernel resolves paths below the target's root itself, but for links in /proc: `self`
would be the agent, and the links of a process lead out of the root.
"""

from __future__ import annotations

import errno
import os

from mirrord_agent.target.machine import below

PATH_LIMIT = 4096
NAME_LIMIT = 255
LINKS_LIMIT = 40
"""As many links may a path lead over in Linux."""
PROC_ROOT_INODE = 1
SELF = b"self"
THREAD_SELF = b"thread-self"


def os_error(code: int) -> OSError:
    """Return an error as the os module raises it."""
    return OSError(code, os.strerror(code))


def check_path(path: bytes) -> None:
    """Raise OSError for what can't be a path to the root of a system."""
    if not path:
        raise os_error(errno.ENOENT)
    if len(path) >= PATH_LIMIT:
        raise os_error(errno.ENAMETOOLONG)
    if not path.startswith(b"/") or b"\0" in path:
        raise os_error(errno.EINVAL)


class Walk:
    """The names that are still to be looked up, and the links that were followed.

    Take a name with `take`; where it is a link that `follows`, tell its text with `follow`.
    """

    def __init__(self, path: bytes, *, follow: bool) -> None:
        check_path(path)
        self._follow = follow
        self._links = 0
        self._names: list[bytes] = []
        self._put(path)

    def _put(self, path: bytes) -> None:
        names = [name for name in path.split(b"/") if name]
        if path.endswith(b"/") and names:
            names.append(b".")  # it must be a folder, and a link there is followed
        self._names += reversed(names)

    def take(self) -> bytes | None:
        """Return the next name, or None at the end: `.` and `..` too, since they ask for a folder."""
        return self._names.pop() if self._names else None

    @property
    def follows(self) -> bool:
        """Whether a link with the name that was taken last is followed."""
        return bool(self._names) or self._follow

    def follow(self, text: bytes) -> bool:
        """Go on with a link's text; whether it begins at the root. Raises OSError(ELOOP) after too many links."""
        self._links += 1
        if self._links > LINKS_LIMIT:
            raise os_error(errno.ELOOP)
        if not text:
            raise os_error(errno.ENOENT)
        self._put(text)
        return text.startswith(b"/")


def proc_link(name: bytes, text: bytes, *, in_proc_root: bool, process_id: int, outside_root: bytes) -> bytes:
    """Return what a link in /proc means to the target; `text` is what it says to us.

    `process_id` is the target's in the PID namespace of that /proc.
    """
    if in_proc_root:
        if name == SELF:
            return b"%d" % process_id
        if name == THREAD_SELF:
            return b"%d/task/%d" % (process_id, process_id)
        return text
    if not text.startswith(b"/"):
        return text
    inside = below(outside_root, text)
    return text if inside is None else inside


def plain(path: bytes) -> bytes | None:
    """Return a path without superfluous slashes and dots; None if it climbs by `..`."""
    names = [name for name in path.split(b"/") if name and name != b"."]
    return None if b".." in names else b"/" + b"/".join(names)

"""What an opened path is and how it is read, what stats say, which handles a session may hold: decisions. No I/O.

driver.py makes the calls, server.py at the top of the package says what becomes of them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from mirrord_agent.files.walk.machine import os_error
from mirrord_agent.kernel.layouts import MEMORY, PSEUDO, TRUE_SIZES
from mirrord_protocol.values import FileSystem, Form, OpenFlag, Stat

CHUNK = 1 << 18
"""Bytes that are read at once."""
ENTRIES = 256
"""Entries of a listing whose stats are taken at once."""
OFFSET_LIMIT = (1 << 63) - 1
SPARE_DESCRIPTORS = 128
"""For everything but handles: one for each request under way, and the agent's own."""


# ---------------------------------------------------------------------------------------------- opening


def form_of(mode: int, size: int, file_system: int, content: int) -> Form:
    """Return how a path opened for reading is to be read."""
    if stat.S_ISDIR(mode):
        return Form.DIRECTORY
    if not stat.S_ISREG(mode):
        return Form.STREAM
    if file_system in PSEUDO or (not size and file_system not in TRUE_SIZES):
        return Form.REQUEST
    return Form.WHOLE if size <= content else Form.LARGE


def never_waits(mode: int, file_system: int) -> bool:
    """Whether reading a file that was opened without waiting never waits."""
    return stat.S_ISFIFO(mode) or (stat.S_ISREG(mode) and file_system in MEMORY)


def may_read_cached(file_system: int, *, tells: bool) -> bool:
    """Whether it is worth a try to read a file without waiting."""
    return tells or file_system in MEMORY


def following(form: Form, size: int, head: int) -> int:
    """Return how many bytes follow the answer unasked."""
    match form:
        case Form.WHOLE:
            return size  # as of the open: what is appended meanwhile doesn't belong to it
        case Form.LARGE:
            return min(size, head)
    return 0


def system_flags(flags: OpenFlag) -> int:
    """Return the system's flags for an open; it never waits for the other end of a FIFO or a line."""
    system = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
    if flags & OpenFlag.NO_FOLLOW:
        system |= os.O_NOFOLLOW
    if flags & OpenFlag.DIRECTORY:
        system |= os.O_DIRECTORY
    return system


def check_range(offset: int, length: int) -> int:
    """Return how many bytes of a range can be there at all; raises OSError for an offset that no file has."""
    if offset > OFFSET_LIMIT:
        raise os_error(errno.EINVAL)
    return min(length, OFFSET_LIMIT - offset)


# ---------------------------------------------------------------------------------------------- stats


def access_questions(mode: int) -> Iterator[int]:
    """Yield what to ask the kernel about access: all at once where that can be, one by one where it said no."""
    first = os.R_OK | os.W_OK
    if stat.S_ISDIR(mode) or mode & 0o111:
        first |= os.X_OK
    yield first
    for bit in (os.R_OK, os.W_OK, os.X_OK):
        if first & bit:
            yield bit


def to_stat(fields: tuple[int, ...], allowed: int, *, born: int) -> Stat:
    """Return a stat from what statx gave; `born` is the bit of its mask that says whether the birth is known."""
    (mask, block_size, links, uid, gid, mode, inode, size, blocks,
     a_seconds, a_rest, b_seconds, b_rest, c_seconds, c_rest, m_seconds, m_rest,
     r_major, r_minor, d_major, d_minor, _) = fields  # fmt: skip
    return Stat(
        device=os.makedev(d_major, d_minor),
        inode=inode,
        size=size,
        blocks=blocks,
        rdev=os.makedev(r_major, r_minor),
        mode=mode,
        links=links,
        uid=uid,
        gid=gid,
        block_size=block_size,
        allowed=allowed,
        accessed=a_seconds * 1_000_000_000 + a_rest,
        modified=m_seconds * 1_000_000_000 + m_rest,
        changed=c_seconds * 1_000_000_000 + c_rest,
        born=b_seconds * 1_000_000_000 + b_rest if mask & born else None,
    )


def to_file_system(fields: tuple[int, ...]) -> FileSystem:
    """Return what statfs gave."""
    (type_, block_size, blocks, free, available, files, files_free,
     id_low, id_high, name_length, fragment_size, flags) = fields  # fmt: skip
    return FileSystem(
        type=type_,
        block_size=block_size,
        blocks=blocks,
        blocks_free=free,
        blocks_available=available,
        files=files,
        files_free=files_free,
        id=(id_low & 0xFFFFFFFF) | (id_high & 0xFFFFFFFF) << 32,
        name_length=name_length,
        fragment_size=fragment_size,
        flags=flags,
    )


# ---------------------------------------------------------------------------------------------- handles


class Closeable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closeable)


class Handles(Generic[C]):
    """What a session holds open, by the id of the request that opened it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._reserved: set[int] = set()
        self._open: dict[int, C] = {}

    def __len__(self) -> int:
        return len(self._reserved)

    def reserve(self, id_: int) -> None:
        """Make room for what an id may open; raises OSError(EMFILE) where there is none."""
        if len(self._reserved) >= self._limit:
            raise os_error(errno.EMFILE)
        self._reserved.add(id_)

    def put(self, id_: int, opened: C) -> None:
        """Keep what a reserved id has opened."""
        self._open[id_] = opened

    def get(self, id_: int) -> C:
        """Return what an id has opened; raises OSError(EBADF)."""
        try:
            return self._open[id_]
        except KeyError:
            raise os_error(errno.EBADF) from None

    def drop(self, id_: int) -> None:
        """Forget an id and close what it has opened."""
        self._reserved.discard(id_)
        if (opened := self._open.pop(id_, None)) is not None:
            opened.close()


def handle_limit(descriptors: int) -> int:
    """Return how many handles a process with so many descriptors can hold; where there are few, a quarter of them."""
    return max(descriptors // 4, descriptors - SPARE_DESCRIPTORS - 256)

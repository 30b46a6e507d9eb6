"""Looks up who made a connection; machine.py has what that means.

Little is imported here: the table is opened before the rest is loaded, in the network and as the user that we start
with, since its view is that of whoever opened it, whatever becomes of us.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from mirrord_agent.listening.origins.machine import GONE, MAPPED, end_of, user_in, welcome

PIECE = 1 << 16
LOOKS = 3
"""A table that changes while it is read may lack a row."""

Address = tuple[str, int]
"""A host, as numbers, and a port."""


class Origins:
    """The network's connections, and who made them.

    Args:
        family: That of the listener.

    Raises:
        OSError: They can't be seen.
    """

    def __init__(self, family: int) -> None:
        self._family = family
        with open("/proc/thread-self/uid_map", "rb") as uid_map, open("/proc/sys/kernel/overflowuid", "rb") as overflow:
            self._welcome = welcome(os.getuid(), uid_map.read(), int(overflow.read()))
        self._tables = [_open(name) for name in ("tcp", "tcp6") if family == socket.AF_INET or name == "tcp6"]

    def close(self) -> None:
        """Close it."""
        for table in self._tables:
            if table is not None:
                os.close(table)

    def stranger(self, ours: Address, its: Address) -> int | None:
        """Return the user who made a connection to us, if it is one who has no business here; else None.

        Args:
            ours: Our end of the connection.
            its: The other.

        Raises:
            OSError: It can't be seen.
        """
        near, far = (socket.inet_pton(self._family, host) for host, _ in (its, ours))
        pairs = [(end_of(near, its[1]), end_of(far, ours[1]))]
        if self._family == socket.AF_INET:  # a socket of IPv6 may reach us too
            pairs.append((end_of(MAPPED + near, its[1]), end_of(MAPPED + far, ours[1])))
        user: int | None = GONE
        for _ in range(LOOKS):
            user = user_in(self._rows(), pairs)
            if user not in {None, GONE}:
                break
        return None if user is None or user in self._welcome else user

    def _rows(self) -> Iterator[bytes]:
        for table in self._tables:
            if table is None:
                continue
            os.lseek(table, 0, os.SEEK_SET)
            rest = b""
            while data := os.read(table, PIECE):
                *rows, rest = (rest + data).split(b"\n")
                yield from rows


def _open(name: str) -> int | None:
    try:
        return os.open(f"/proc/thread-self/net/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # a kernel without IPv6
        return None

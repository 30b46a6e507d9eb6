"""Looks up who made a connection; machine.py has what that means.

Little is imported here: the table is opened before the rest is loaded, in the network and as the user that we start
with, since its view is that of whoever opened it, whatever becomes of us.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from mirrord_agent.listening.origins.machine import end_of, user_in, welcome

PIECE = 1 << 16

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
        name = "tcp" if family == socket.AF_INET else "tcp6"
        self._table = os.open(f"/proc/thread-self/net/{name}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close it."""
        os.close(self._table)

    def stranger(self, ours: Address, its: Address) -> int | None:
        """Return the user who made a connection to us, if it is one who has no business here; else None.

        Args:
            ours: Our end of the connection.
            its: The other. Where this network doesn't have it, the connection comes from elsewhere.
        """
        near, far = (end_of(socket.inet_pton(self._family, host), port) for host, port in (its, ours))
        user = user_in(self._rows(), near, far)
        return None if user in self._welcome else user

    def _rows(self) -> Iterator[bytes]:
        os.lseek(self._table, 0, os.SEEK_SET)
        rest = b""
        while data := os.read(self._table, PIECE):
            *rows, rest = (rest + data).split(b"\n")
            yield from rows

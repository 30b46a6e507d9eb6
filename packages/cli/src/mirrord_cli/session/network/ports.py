"""Ports of loopback, as the shared table tells layers of them: which are relayed, and which are this session's own.

A port may be so for several reasons at once, so each is counted. No I/O.
"""

from __future__ import annotations

from collections import Counter

from mirrord_cli.session.table import Table


class Ports:
    """Counts of reasons, and the table's bits."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._own: Counter[int] = Counter()
        self._relayed: Counter[int] = Counter()

    def owns(self, port: int) -> bool:
        """Whether connections to a port of loopback stay on this machine."""
        return port in self._own

    def add_own(self, port: int) -> None:
        """Note one more reason for a port to be this session's own."""
        self._own[port] += 1
        self._table.set_own(port, own=True)

    def remove_own(self, port: int) -> None:
        """Note one reason less."""
        if _less(self._own, port):
            self._table.set_own(port, own=False)

    def add_relayed(self, port: int) -> None:
        """Note that a socket with this port is, or will be, a program's peer."""
        self._relayed[port] += 1
        self._table.set_relayed(port, relayed=True)

    def remove_relayed(self, port: int) -> None:
        """Note one such socket less."""
        if _less(self._relayed, port):
            self._table.set_relayed(port, relayed=False)

    def count_relay(self) -> None:
        """Note a relayed connection, before its program can know of it."""
        self._table.count_relay()

    def count_relayed_datagrams(self) -> None:
        """Note a relayed datagram socket, before its program can know of it."""
        self._table.count_relayed_datagrams()


def _less(counts: Counter[int], port: int) -> bool:
    """Count one less; whether none is left."""
    counts[port] -= 1
    if counts[port] > 0:
        return False
    del counts[port]
    return True

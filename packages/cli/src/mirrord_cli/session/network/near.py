"""Datagram sockets of programs that others on this machine may send to: what goes to their ports on loopback stays here,
as what goes to a listener does. Events in, actions out; no I/O.

Layers tell of a socket when it is bound, when it is connected on this machine, and when it sends to one that is here:
then it may get an answer. It is known until two looks at this machine's sockets didn't find it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Final

from mirrord_cli.session.actions import Action
from mirrord_cli.session.network.actions import WatchDatagrams

MOST: Final = 4096
"""Sockets that are followed; the one told of longest ago makes room."""


@dataclass(slots=True)
class _Socket:
    port: int
    missed: bool = False


class Near:
    """Ports of programs' datagram sockets.

    Args:
        actions: Where actions are put.
    """

    def __init__(self, actions: list[Action]) -> None:
        self._actions = actions
        self._sockets: OrderedDict[int, _Socket] = OrderedDict()
        self._ports: Counter[int] = Counter()

    @property
    def watches(self) -> bool:
        """Whether there are sockets whose end would have to be seen."""
        return bool(self._sockets)

    def owns(self, port: int) -> bool:
        """Whether a program's datagram socket has a port of this machine."""
        return self._ports[port] > 0

    def add(self, inode: int, port: int) -> None:
        """Note a socket's port; it has one at a time."""
        inode &= 0xFFFFFFFF  # as the kernel tells it of all sockets
        self._remove(inode)
        if len(self._sockets) >= MOST:
            self._remove(next(iter(self._sockets)))
        self._sockets[inode] = _Socket(port)
        self._ports[port] += 1
        if len(self._sockets) == 1:
            self._actions.append(WatchDatagrams())

    def looked(self, present: frozenset[int]) -> None:
        """Take the inodes of all datagram sockets on this machine that have a port."""
        for inode, sock in list(self._sockets.items()):
            if inode in present:
                sock.missed = False
            elif sock.missed:
                self._remove(inode)
            else:
                sock.missed = True

    def _remove(self, inode: int) -> None:
        if (sock := self._sockets.pop(inode, None)) is not None:
            self._ports[sock.port] -= 1
            if not self._ports[sock.port]:
                del self._ports[sock.port]

"""Listeners for programs' connects that wait: each for one connection, by the socket that asked and by no other.

A socket of TCP is known by its inode, which the kernel tells of a connection's other end. A Unix one shows its user.
"""

from __future__ import annotations

import errno
import secrets
import socket
import struct
from typing import Final

import trio

from mirrord_cli.session.network.kernel.driver import Kernel
from mirrord_protocol.network_values import Address
from mirrord_protocol.relay import reset_on_close

BACKLOG: Final = 8
"""Strangers may come first."""
_PEER = struct.Struct("iII")
_GONE = frozenset({errno.ECONNABORTED, errno.EAGAIN, errno.EINTR})


class Door:
    """A listener on loopback, or on an abstract name; raises OSError if none can be had."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._family = family
        try:
            if family == socket.AF_UNIX:
                self._socket.bind(b"\0mirrord-stream-" + secrets.token_hex(16).encode())
            else:
                reset_on_close(self._socket)
                self._socket.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
            self._socket.listen(BACKLOG)
        except OSError:
            self._socket.close()
            raise
        name = self._socket.getsockname()
        self.name: int | bytes = name if isinstance(name, bytes) else name[1]
        """Its port, or its abstract name with the NUL before it."""

    def close(self) -> None:
        """Let nobody in any more."""
        self._socket.close()

    async def let_in(self, kernel: Kernel, inode: int, user: int) -> socket.socket:
        """Return the connection that comes from the socket `inode`, or for a Unix one from a process of `user`.

        Raises OSError if there is no descriptor for it.
        """
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                end, peer = self._socket.accept()
            except OSError as error:
                if error.errno in _GONE:
                    continue
                raise
            if self._is_expected(end, peer, kernel, inode, user):
                return end
            end.close()

    def _is_expected(self, end: socket.socket, peer: tuple[str, int], kernel: Kernel, inode: int, user: int) -> bool:
        if self._family == socket.AF_UNIX:
            return bool(_PEER.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[1] == user)
        ours, theirs = (Address(socket.inet_pton(self._family, name[0]), name[1]) for name in (end.getsockname(), peer))
        found = kernel.stream(theirs, ours)
        return found is not None and found.inode == inode & 0xFFFFFFFF

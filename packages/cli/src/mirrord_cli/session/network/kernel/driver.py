"""Asks this machine's kernel about sockets (sock_diag(7)), which anyone may: whose a peer is, and whether it is there.

The kernel answers while it is asked, so nothing here waits. The few bytes are written here since a library for them
takes longer to load than a session to start (docs/decisions/0006). Where the kernel lacks the interface, /proc/net has
the same in text.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mirrord_protocol.network_values import Address

SOCK_DIAG: Final = 4
BY_FAMILY: Final = 20
REQUEST, DUMP = 1, 0x300
DONE: Final = 3
INTERRUPTED: Final = 0x10
"""What was told may lack something (NLM_F_DUMP_INTR)."""
ROOM: Final = 1 << 16

SYN_SENT, LISTEN, TIME_WAIT = 2, 10, 6
"""States of TCP (the kernel's tcp_states.h)."""
SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT = 3, 1, 8
ALL_STATES: Final = 0xFFFFFFFF

_MESSAGE = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
_FOUND = struct.Struct("=BBBB48xIIIII")
_PORTS = struct.Struct("!HH")
_NO_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Found:
    """A socket as the kernel knows it."""

    state: int
    user: int
    inode: int
    """0 of one that no process has any more."""


class Kernel:
    """This machine's sockets."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._by_text = False

    def close(self) -> None:
        """Ask no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def stream(self, own: Address, peer: Address) -> Found | None:
        """Return the TCP socket that has these two addresses (a listener: its own one, and no peer), if there is one."""
        return self._one(int(socket.IPPROTO_TCP), own, peer)

    def datagrams(self, own: Address, peer: Address) -> Found | None:
        """Return the UDP socket that gets what `peer` sends to `own`, if there is one."""
        return self._one(int(socket.IPPROTO_UDP), own, peer)

    def listeners(self) -> frozenset[int] | None:
        """Return the inodes of all TCP sockets that listen; None if they can't be seen now."""
        return self._all(int(socket.IPPROTO_TCP), 1 << LISTEN)

    def datagram_sockets(self) -> frozenset[int] | None:
        """Return the inodes of all UDP sockets that have a port; None if they can't be seen now."""
        return self._all(int(socket.IPPROTO_UDP), ALL_STATES)

    # ------------------------------------------------------------------------------------------ asking

    def _one(self, protocol: int, own: Address, peer: Address) -> Found | None:
        if not self._usable():
            return _one_of_text(protocol, own, peer)
        # A datagram socket is looked up as a datagram finds it: from the sender's side.
        ends = (peer, own) if protocol == socket.IPPROTO_UDP else (own, peer)
        family, asked = _asked(*ends)
        try:
            found = self._ask(family, protocol, ALL_STATES, asked, REQUEST)
        except OSError:  # no memory: nothing is known
            return None
        return found[0] if found else None

    def _all(self, protocol: int, states: int) -> frozenset[int] | None:
        try:
            if not self._usable():
                return frozenset(found.inode for found, _, _ in _text(protocol) if states >> found.state & 1)
            families, every = (int(socket.AF_INET), int(socket.AF_INET6)), bytes(36) + _NO_COOKIE
            return frozenset(
                found.inode
                for family in families
                for found in self._ask(family, protocol, states, every, REQUEST | DUMP)
            )
        except OSError:
            return None

    def _ask(self, family: int, protocol: int, states: int, asked: bytes, flags: int) -> list[Found]:
        """Ask for one socket, or for all; raises OSError if the answer isn't whole."""
        assert self._socket is not None
        body = _ASKED.pack(family, protocol, 0, 0, states) + asked
        self._socket.send(_MESSAGE.pack(_MESSAGE.size + len(body), BY_FAMILY, flags, 0, 0) + body)
        result: list[Found] = []
        cut = False
        while True:
            data = memoryview(self._socket.recv(ROOM))
            while data:
                size, kind, marks, *_ = _MESSAGE.unpack_from(data)
                cut |= bool(marks & INTERRUPTED) and bool(flags & DUMP)
                if kind == DONE:
                    if cut:
                        raise InterruptedError(errno.EINTR, "the kernel's tables changed meanwhile")
                    return result
                if kind == BY_FAMILY:
                    result.append(_found(data[_MESSAGE.size : size]))
                data = data[(size + 3) & ~3 :]
            if not flags & DUMP:
                return result

    def _usable(self) -> bool:
        """Open the way to the kernel, in this process, and see once whether it finds a socket that is there."""
        if self._socket is not None or self._by_text:
            return not self._by_text
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, SOCK_DIAG)
            with socket.socket() as tried:
                tried.bind(("127.0.0.1", 0))
                tried.listen(1)
                own = Address(b"\x7f\0\0\1", tried.getsockname()[1])
                found = self.stream(own, Address(bytes(4), 0))
                self._by_text = found is None or found.inode != os.fstat(tried.fileno()).st_ino & 0xFFFFFFFF
        except OSError:
            self._by_text = True
        return not self._by_text


def _asked(own: Address, peer: Address) -> tuple[int, bytes]:
    """Return the family and what identifies a socket (`inet_diag_sockid`)."""
    hosts = [host[12:] if host.startswith(_MAPPED) and len(host) == 16 else host for host in (own.host, peer.host)]
    family = int(socket.AF_INET) if len(hosts[0]) == 4 else int(socket.AF_INET6)
    ports = _PORTS.pack(own.port, peer.port)
    return family, ports + b"".join(host.ljust(16, b"\0") for host in hosts) + _NO_COOKIE


def _found(body: memoryview) -> Found:
    _, state, _, _, _, _, _, user, inode = _FOUND.unpack_from(body)
    return Found(state, user, inode)


# ---------------------------------------------------------------------------------------------- /proc/net


def _text(protocol: int) -> Iterator[tuple[Found, Address, Address]]:
    name = "tcp" if protocol == socket.IPPROTO_TCP else "udp"
    for path in (f"/proc/net/{name}", f"/proc/net/{name}6"):
        try:
            with open(path, encoding="ascii") as file:
                lines: Iterable[str] = file.read().splitlines()[1:]
        except FileNotFoundError:  # there is no IPv6
            continue
        for line in lines:
            _, own, peer, state, _, _, _, user, _, inode, *_ = line.split()
            yield Found(int(state, 16), int(user), int(inode)), _text_address(own), _text_address(peer)


def _text_address(text: str) -> Address:
    host, _, port = text.partition(":")
    words = bytes.fromhex(host)
    plain = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))  # each word as the CPU has it
    return Address(plain.removeprefix(_MAPPED) if len(plain) == 16 else plain, int(port, 16))


def _one_of_text(protocol: int, own: Address, peer: Address) -> Found | None:
    best: Found | None = None
    try:
        every = list(_text(protocol))
    except OSError:  # no descriptor: nothing is known
        return None
    for found, its_own, its_peer in every:
        if its_own.port != own.port or (any(its_own.host) and its_own.host != own.host.removeprefix(_MAPPED)):
            continue
        if (its_peer.port, its_peer.host) == (peer.port, peer.host.removeprefix(_MAPPED)):
            return found
        if not its_peer.port and best is None:
            best = found
    return best

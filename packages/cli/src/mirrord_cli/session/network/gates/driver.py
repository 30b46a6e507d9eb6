"""Addresses for programs' connects that don't wait: whether they succeed is decided after the program has called connect.

A gate is a listener that is deaf (the kernel drops what comes to it, since it seems to have come too far), so that a
program's SYN waits there, like one on its way to a far host. To let it through, a socket with the gate's own address
connects to the program's: a simultaneous open, after which both are connected. To refuse it, a first such socket that
is deaf, too, takes the program's socket out of SYN_SENT, and a second one's SYN makes both ends find that they don't
agree: a reset, which the program sees as an error from the start, never as a success first. All of it is ordinary TCP,
and needs no rights.

A gate serves many connects, since addresses tell them apart, and is closed when the last of them is decided.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import trio

from mirrord_cli.session.network.kernel.driver import CLOSE_WAIT, ESTABLISHED, SYN_SENT, Kernel
from mirrord_protocol.network_values import Address
from mirrord_protocol.relay import reset_on_close

USES: Final = 256
"""Connects for each gate."""
PATIENCE: Final = 5.0
"""Seconds for an opening, which takes microseconds."""
IP_MINTTL, IPV6_MINHOPCOUNT = 21, 73
"""Not in `socket`. A filter of packets would do as well, but isn't for everyone (EPERM)."""
FARTHEST: Final = 255
"""No segment with less is heard; programs' have 64, unless they ask for another number."""
_ON = 1
CONNECTED: Final = frozenset({ESTABLISHED, CLOSE_WAIT})
"""States of a socket whose other end has accepted the connection; the program may have ended its direction by now."""


class Spare:
    """A descriptor that is kept for refusals: where none is left, a program would wait for a time limit of its own."""

    def __init__(self) -> None:
        self._kept: int | None = None
        self._over = False
        self._keep()

    def close(self) -> None:
        """Keep none any more."""
        self._over = True
        self._give_up()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Have one descriptor more until the block ends, which must not wait."""
        self._give_up()
        try:
            yield
        finally:
            self._keep()

    def _keep(self) -> None:
        if not self._over:
            with suppress(OSError):  # then there will be one another time
                self._kept = os.open("/", os.O_PATH | os.O_CLOEXEC)

    def _give_up(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            os.close(kept)


class Gate:
    """One deaf listener."""

    def __init__(self, family: socket.AddressFamily, spare: Spare) -> None:
        self._family = family
        self._spare = spare
        self._listener = _socket(family)
        self.uses = 0
        """Connects so far."""
        self.waiting = 0
        """Of those, how many aren't decided."""
        try:
            self._listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
            _make_deaf(self._listener)
            self._listener.listen(0)
            self._name = self._listener.getsockname()
            _fill(self._listener)
        except OSError:
            self.close()
            raise
        self.address = Address(socket.inet_pton(family, self._name[0]), self._name[1])

    def close(self) -> None:
        """Let go of the listener; what went through it lives on."""
        self._listener.close()

    async def let_in(self, own: Address) -> socket.socket | None:
        """Return a socket that is connected to the program's at `own`; None if that is gone."""
        end = self._knock_back(own)
        if end is None:
            return None
        try:
            if _state(end) not in CONNECTED:
                with trio.move_on_after(PATIENCE):
                    await trio.lowlevel.wait_writable(end)
            if _state(end) in CONNECTED:
                connected, end = end, None
                return connected
        finally:
            if end is not None:
                end.close()
        return None

    def refuse(self, own: Address) -> None:
        """Reset the program's socket at `own`; nothing if it is gone."""
        with self._spare.lent():
            for deaf in (True, False):
                end = self._knock_back(own, deaf=deaf)
                if end is not None:
                    end.close()

    def _knock_back(self, own: Address, *, deaf: bool = False) -> socket.socket | None:
        try:
            end = _socket(self._family)
        except OSError:  # no descriptor
            return None
        try:
            end.setblocking(False)
            if deaf:
                _make_deaf(end)
            end.bind(self._name)
            reset_on_close(end)
            code = end.connect_ex((socket.inet_ntop(self._family, own.host), own.port))
        except OSError:
            end.close()
            return None
        if code in {0, errno.EINPROGRESS}:
            return end
        end.close()
        return None


class Gates:
    """All gates.

    Args:
        kernel: Says whether a program's socket is there.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._open: dict[socket.AddressFamily, Gate] = {}
        self._closing: set[Gate] = set()
        self._spare = Spare()

    def close(self) -> None:
        """Close all."""
        self._spare.close()
        for gate in [*self._open.values(), *self._closing]:
            gate.close()
        self._open.clear()
        self._closing.clear()

    def enter(self, *, ipv6: bool) -> Gate:
        """Return a gate for one more connect, which `leave` has to follow; raises OSError."""
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        gate = self._open.get(family)
        if gate is None:
            gate = self._open[family] = Gate(family, self._spare)
        gate.uses += 1
        gate.waiting += 1
        if gate.uses >= USES:
            self._closing.add(self._open.pop(family))
        return gate

    def leave(self, gate: Gate) -> None:
        """Note that a connect is decided."""
        gate.waiting -= 1
        if not gate.waiting and gate in self._closing:
            self._closing.discard(gate)
            gate.close()

    def waits(self, gate: Gate, own: Address, inode: int) -> bool:
        """Whether the program's socket is before the gate."""
        found = self._kernel.stream(own, gate.address)
        return found is not None and found.state == SYN_SENT and found.inode == inode & 0xFFFFFFFF


def _socket(family: socket.AddressFamily) -> socket.socket:
    end = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, _ON)
    return end


def _make_deaf(end: socket.socket) -> None:
    """Let a socket hear nothing of what this machine's programs send."""
    if end.family == socket.AF_INET:
        end.setsockopt(socket.IPPROTO_IP, IP_MINTTL, FARTHEST)
    else:
        end.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, FARTHEST)


def _fill(listener: socket.socket) -> None:
    """Put into a listener's queue the one connection that has room there, so that it can't take those of sockets either
    whose segments it does hear (IP_TTL 255).
    """
    with socket.socket(listener.family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as filler:
        filler.setblocking(False)
        if listener.family == socket.AF_INET:
            filler.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, FARTHEST)
        else:
            filler.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, FARTHEST)
        filler.connect_ex(listener.getsockname())  # this machine's kernel has connected it when this returns


def _state(end: socket.socket) -> int:
    """Return the state of TCP (TCP_INFO's first byte)."""
    return end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]

"""Carries connects of programs out: the agent's half, then this machine's, then bytes both ways.

A task for each, from its first step to the connection's end. What is answered, and what is remembered, is decided in
../outgoing.py; the two ways to the program are in ../doors/ and ../gates/.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from mirrord_cli.session.link.driver import Links
from mirrord_cli.session.network.actions import Dial, Family, Join
from mirrord_cli.session.network.doors.driver import Door
from mirrord_cli.session.network.gates.driver import Gate, Gates
from mirrord_cli.session.network.kernel.driver import Kernel
from mirrord_cli.session.network.outgoing import DOWN, FULL, PENDING, Outgoing
from mirrord_cli.session.network.tails.driver import Tails
from mirrord_cli.session.questions import MEANINGS
from mirrord_protocol.client import Client, ConnectionLost, RemoteError
from mirrord_protocol.connections import Connection
from mirrord_protocol.failure import errno_name
from mirrord_protocol.network_values import Address
from mirrord_protocol.relay import relay
from mirrord_protocol.values import FailureKind

PATIENCE: Final = 10.0
"""Seconds for a program to come to where it was told to, which it does at once if it lives."""
LOOK: Final = 1.0
"""Seconds between two looks whether those who don't wait are still there."""
FOR_OTHERS: Final = 64
"""So many of the agent's requests are left for files and names, however many connects wait for far hosts."""
FAMILIES: Final = {
    Family.IPV4: socket.AF_INET,
    Family.MAPPED: socket.AF_INET,
    Family.IPV6: socket.AF_INET6,
    Family.UNIX: socket.AF_UNIX,
}
Tell = Callable[..., None]
"""Calls a method of the machine, and carries out what it leads to."""


@dataclass(slots=True)
class _Ahead:
    """A connect that doesn't wait."""

    dial: Dial
    gate: Gate
    scope: trio.CancelScope
    since: float
    own: Address | None = None
    told: trio.Event = field(default_factory=trio.Event)
    opening: bool = False
    """Its gate is being opened: it won't be before that any more."""


class Dialer:
    """Connects.

    Args:
        client: The agent's.
        outgoing: What is told of them.
        tell: How.
        links: Where channels are.
        kernel: Says who a peer is.
        user: Whose Unix sockets are let in.
        nursery: Runs the tasks.
    """

    def __init__(
        self,
        client: Client,
        outgoing: Outgoing,
        tell: Tell,
        links: Links,
        kernel: Kernel,
        user: int,
        nursery: trio.Nursery,
        tails: Tails,
    ) -> None:
        self._client = client
        self._outgoing = outgoing
        self._tell = tell
        self._links = links
        self._kernel = kernel
        self._user = user
        self._nursery = nursery
        self._tails = tails
        self._gates = Gates(kernel)
        self._ahead: dict[int, _Ahead] = {}
        self._room = trio.CapacityLimiter(max(client.welcome.requests - FOR_OTHERS, 1))
        self._watching = False

    def close(self) -> None:
        """Let nobody in any more."""
        self._gates.close()

    def dial(self, action: Dial) -> None:
        """Begin to connect."""
        if action.waits:
            self._nursery.start_soon(self._wait, action)
        else:
            self._go_ahead(action)

    def join(self, action: Join) -> None:
        """Note where the program's socket is."""
        ahead = self._ahead.get(action.connect)
        if ahead is not None and len(action.own.host) == len(ahead.gate.address.host):
            ahead.own = action.own
            ahead.told.set()

    async def _connect(self, dial: Dial) -> Connection | None:
        """Connect from the target; None: it can't be, and the machine was told why."""
        try:
            async with self._room:
                return await self._client.connect(dial.to)
        except RemoteError as error:
            failure = error.failure
            errno = failure.errno or (DOWN if failure.kind is FailureKind.GONE else MEANINGS.get(failure.kind, "EIO"))
        except ConnectionLost:
            errno = DOWN
        self._tell(self._outgoing.unreached, dial.connect, errno)
        return None

    # ------------------------------------------------------------------------------------------ those that wait

    async def _wait(self, dial: Dial) -> None:
        connection: Connection | None = None
        decided = False
        with trio.move_on_after(math.inf if dial.timeout is None else dial.timeout) as patience:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._cancel_when_closed, dial.channel, nursery.cancel_scope)
                connection = await self._connect(dial)
                decided = True
                nursery.cancel_scope.cancel()
        if not decided:
            if patience.cancelled_caught:
                self._tell(self._outgoing.unreached, dial.connect, PENDING)
            else:  # a signal has interrupted it, or the program is gone
                self._tell(self._outgoing.abandoned, dial.connect)
                self._links.drop(dial.channel)
        elif connection is not None:
            await self._let_in(dial, connection)

    async def _cancel_when_closed(self, channel: int, scope: trio.CancelScope) -> None:
        await self._links.wait_closed(channel)
        scope.cancel()

    async def _let_in(self, dial: Dial, connection: Connection) -> None:
        try:
            door = Door(FAMILIES[dial.family])
        except OSError as error:
            connection.reset()
            self._tell(self._outgoing.unreached, dial.connect, errno_name(error.errno or 0))
            return
        end: socket.socket | None = None
        try:
            self._tell(self._outgoing.reached, dial.connect, connection.local, connection.peer, door.name)
            with trio.move_on_after(PATIENCE):
                end = await door.let_in(self._kernel, dial.inode, self._user)
        except OSError:
            pass  # no descriptor is left: the program's socket is reset with the door
        finally:
            door.close()
            if end is None:
                connection.reset()
        if end is None:
            self._tell(self._outgoing.ended, dial.connect)
        else:
            await self._carry(dial.connect, end, connection)

    # ------------------------------------------------------------------------------------------ those that don't

    def _go_ahead(self, dial: Dial) -> None:
        try:
            gate = self._gates.enter(ipv6=dial.family is Family.IPV6)
        except OSError as error:
            self._tell(self._outgoing.unreached, dial.connect, errno_name(error.errno or 0))
            return
        ahead = self._ahead[dial.connect] = _Ahead(dial, gate, trio.CancelScope(), trio.current_time())
        self._nursery.start_soon(self._decide, ahead)
        if not self._watching:
            self._watching = True
            self._nursery.start_soon(self._watch)
        self._tell(self._outgoing.offered, dial.connect, gate.address.port)

    async def _decide(self, ahead: _Ahead) -> None:
        number, end, connection = ahead.dial.connect, None, None
        try:
            with ahead.scope:
                connection = await self._connect(ahead.dial)
                if connection is not None:
                    self._tell(self._outgoing.reached, number, connection.local, connection.peer, None)
                await ahead.told.wait()
                end = await self._open_gate(ahead, connection)
        finally:
            del self._ahead[number]
            self._gates.leave(ahead.gate)
            if end is None and connection is not None:
                connection.reset()
        if end is None:
            self._tell(self._outgoing.ended, number)
        else:
            assert connection is not None
            await self._carry(number, end, connection)

    async def _open_gate(self, ahead: _Ahead, connection: Connection | None) -> socket.socket | None:
        assert ahead.own is not None
        ahead.opening = True
        if self._gates.waits(ahead.gate, ahead.own, ahead.dial.inode):
            if connection is not None:
                end = await ahead.gate.let_in(ahead.own)
                if end is not None:
                    return end
                self._tell(self._outgoing.unreached, ahead.dial.connect, FULL)  # or its program is gone
            ahead.gate.refuse(ahead.own)
        return None

    async def _watch(self) -> None:
        """Give those up whose program's socket is gone, or never came."""
        while self._ahead:
            await trio.sleep(LOOK)
            now = trio.current_time()
            for ahead in list(self._ahead.values()):
                if ahead.opening or now - ahead.since < LOOK:
                    continue
                if ahead.own is None:
                    lost = now - ahead.since > PATIENCE
                else:
                    lost = not self._gates.waits(ahead.gate, ahead.own, ahead.dial.inode)
                if lost:
                    ahead.scope.cancel()
        self._watching = False

    # ------------------------------------------------------------------------------------------ both

    async def _carry(self, number: int, end: socket.socket, connection: Connection) -> None:
        self._tell(self._outgoing.joined, number)
        with self._tails:
            await relay(trio.socket.from_stdlib_socket(end), connection)
        self._tell(self._outgoing.ended, number)

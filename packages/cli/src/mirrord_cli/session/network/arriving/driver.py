"""Subscribes to ports of the target, and brings each connection that comes to the program that listens here.

Which listener that is, and what the program is told of the connection, is decided in ../incoming.py.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import trio

from mirrord_cli.session.log import Log
from mirrord_cli.session.network.actions import LeavePort, WantPort
from mirrord_cli.session.network.incoming import Incoming, Met, Place
from mirrord_cli.session.network.kernel.driver import LISTEN, TIME_WAIT, Kernel
from mirrord_cli.session.network.tails.driver import Tails
from mirrord_cli.session.settings import IncomingMode, IncomingRules
from mirrord_protocol.client import Client, ConnectionLost, RemoteError, Subscription
from mirrord_protocol.connections import Connection
from mirrord_protocol.failure import failure_of
from mirrord_protocol.network_values import Address, SubscribeMode
from mirrord_protocol.relay import relay, reset_on_close
from mirrord_protocol.values import Failure, FailureKind

LOOK: Final = 0.25
"""Seconds between two looks at this machine's listeners."""
SWEEP: Final = 1.0
"""Seconds between two looks whether accepted sockets are closed whose connection is over."""
PATIENCE: Final = 60.0
"""Seconds for a program that has too many connections already to take one more."""
MOST_OVER: Final = 4096
"""Connections that are over, and whose program's socket may not be closed."""
REFUSED: Final = Failure(FailureKind.SYSTEM, "ECONNREFUSED")
FULL: Final = Failure(FailureKind.LIMIT, None, "the session has too many connections")
Tell = Callable[..., None]


class Arrivals:
    """Subscriptions and what comes of them.

    Args:
        client: The agent's.
        rules: What the user wants of them.
        incoming: What is told of them.
        tell: How.
        kernel: Says which listeners and sockets there are.
        user: The session's.
        nursery: Runs the tasks.
        most: So many connections there may be at once.
        log: Where it is logged that a port is lost.
    """

    def __init__(
        self,
        client: Client,
        rules: IncomingRules,
        incoming: Incoming,
        tell: Tell,
        kernel: Kernel,
        user: int,
        nursery: trio.Nursery,
        most: int,
        log: Log,
        tails: Tails,
    ) -> None:
        self._client = client
        self._rules = rules
        self._incoming = incoming
        self._tell = tell
        self._kernel = kernel
        self._user = user
        self._nursery = nursery
        self._tails = tails
        self._most = most
        self._log = log
        self._count = 0
        self._subscriptions: dict[int, Subscription] = {}
        self._watching = False
        self._over: OrderedDict[Met, Address] = OrderedDict()
        """With the address that the listener has."""
        self._sweeping = False
        self._closed = False

    def close(self) -> None:
        """Take no more connections: what comes from now on is the target's."""
        self._closed = True
        while self._subscriptions:
            self._subscriptions.popitem()[1].close()

    # ------------------------------------------------------------------------------------------ subscriptions

    def want(self, action: WantPort) -> None:
        """Begin to subscribe."""
        self._nursery.start_soon(self._subscribe, action.port)

    def leave(self, action: LeavePort) -> None:
        """End a subscription."""
        if (subscription := self._subscriptions.pop(action.port, None)) is not None:
            subscription.close()

    async def _subscribe(self, port: int) -> None:
        outcome = await self._ask(port)
        if isinstance(outcome, Failure):
            self._tell(self._incoming.not_subscribed, port, outcome)
            return
        self._subscriptions[port] = outcome
        self._tell(self._incoming.subscribed, port)
        await outcome.wait_over()
        if self._subscriptions.get(port) is outcome:
            del self._subscriptions[port]
            why = outcome.failure
            self._log("warning", "port lost", port=port, reason=why and (why.text or why.errno))
            self._tell(self._incoming.unsubscribed, port)

    async def _ask(self, port: int) -> Subscription | Failure:
        mode = SubscribeMode.STEAL if self._rules.mode is IncomingMode.STEAL else SubscribeMode.MIRROR
        try:
            return await self._client.subscribe(
                port,
                mode,
                lambda connection: self._take(port, connection),
                loopback=self._rules.loopback,
                reset=self._rules.reset,
            )
        except (RemoteError, ConnectionLost) as error:
            return error.failure

    # ------------------------------------------------------------------------------------------ connections

    def _take(self, port: int, connection: Connection) -> None:
        if self._closed or self._count >= self._most:
            connection.reset(FULL)
        else:
            self._count += 1
            self._nursery.start_soon(self._deliver, port, connection)

    async def _deliver(self, port: int, connection: Connection) -> None:
        try:
            peer, local = connection.peer, connection.local
            assert isinstance(peer, Address) and isinstance(local, Address)
            place = self._incoming.place(port, peer)
            if place is None or self._is_a_strangers(place.to):
                connection.reset(REFUSED)
                return
            truth = (Address(local.host, place.port, local.scope), peer) if place.tells else None
            await self._bring(place, connection, truth)
        finally:
            self._count -= 1

    def _is_a_strangers(self, to: Address) -> bool:
        """Whether another user listens there now: a program may have closed its listener, and its port is anyone's."""
        found = self._kernel.stream(to, Address(bytes(len(to.host)), 0))
        return found is not None and found.user != self._user and not self._incoming.follows(found.inode)

    async def _bring(self, place: Place, connection: Connection, truth: tuple[Address, Address] | None) -> None:
        ipv6, met = len(place.to.host) == 16, None
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        try:
            end = trio.socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            connection.reset(failure_of(error))
            return
        try:
            reset_on_close(end)
            await end.bind(("::1" if ipv6 else "127.0.0.1", 0))
            if truth is not None:
                met = Met(place.to.port, end.getsockname()[1], ipv6)
                self._tell(self._incoming.met, met, *truth)
            with trio.fail_after(PATIENCE):
                await end.connect(_name(family, place.to))
        except (OSError, trio.TooSlowError) as error:
            end.close()
            connection.reset(failure_of(error) if isinstance(error, OSError) else REFUSED)
            if met is not None:
                self._tell(self._incoming.parted, met)
            for _ in range(2):
                self._look()
        except trio.Cancelled:
            end.close()
            connection.reset()
            raise
        else:
            with self._tails:
                await relay(end, connection)
            if met is not None:
                self._part(met, place.to)

    # ------------------------------------------------------------------------------------------ looking

    def watch(self) -> None:
        """Look for the end of listeners as long as there are any."""
        if not self._watching:
            self._watching = True
            self._nursery.start_soon(self._watch)

    async def _watch(self) -> None:
        while self._incoming.watches:
            await trio.sleep(LOOK)
            self._look()
        self._watching = False

    def _look(self) -> None:
        if (present := self._kernel.listeners()) is not None:
            self._tell(self._incoming.looked, present)

    def _part(self, met: Met, to: Address) -> None:
        """Forget who was at the other end once the program's socket is closed: not before, since it may ask."""
        if self._is_closed(met, to):
            self._tell(self._incoming.parted, met)
            return
        self._over[met] = to
        if len(self._over) > MOST_OVER:
            self._tell(self._incoming.parted, self._over.popitem(last=False)[0])
        if not self._sweeping:
            self._sweeping = True
            self._nursery.start_soon(self._sweep)

    async def _sweep(self) -> None:
        while self._over:
            await trio.sleep(SWEEP)
            for met, to in list(self._over.items()):
                if self._is_closed(met, to):
                    del self._over[met]
                    self._tell(self._incoming.parted, met)
        self._sweeping = False

    def _is_closed(self, met: Met, to: Address) -> bool:
        ours = Address(b"\x7f\0\0\1" if not met.ipv6 else bytes(15) + b"\1", met.ours)
        found = self._kernel.stream(to, ours)
        # Where there is no connection any more, the listener is found.
        return found is None or found.state in {TIME_WAIT, LISTEN} or not found.inode


def _name(family: int, address: Address) -> tuple[str, int] | tuple[str, int, int, int]:
    host = socket.inet_ntop(family, address.host)
    return (host, address.port) if family == socket.AF_INET else (host, address.port, 0, address.scope)

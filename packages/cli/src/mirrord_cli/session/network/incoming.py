"""Listeners of programs, the subscriptions to the target's ports that they share, and who is at the other end of what was
accepted. Events in, actions out; no I/O.

A subscription goes through these states:

| state | leaves it by | to |
|---|---|---|
| asked (of the agent; its listeners' questions wait) | `subscribed` | held |
| | `not_subscribed`, `lost` | none: its listeners are this machine's, or must not listen |
| held (connections come: `place`) | its last listener's end (`looked`) | none |
| | `unsubscribed`, `lost` | none: its listeners are this machine's |

A listener is known by its inode, so several of one port, of several processes, share a subscription, and one that was
inherited is one. It is gone when two looks at this machine's listeners didn't find it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mirrord_cli.session.actions import Action, Answer
from mirrord_cli.session.network.actions import LeavePort, WantPort, WatchListeners
from mirrord_cli.session.network.addresses import LOOPBACK, plain, write_pair
from mirrord_cli.session.network.ports import Ports
from mirrord_protocol.layer_values import LayerOutcome, LayerReply
from mirrord_protocol.network_values import Address
from mirrord_protocol.values import Failure

MOST: Final = 4096
"""Listeners that are followed."""
TAKEN: Final = "EADDRINUSE"


class Place(NamedTuple):
    """Where a connection goes to here."""

    to: Address
    """A listener of a program."""
    port: int
    """The one that the program wanted to listen on."""
    tells: bool
    """Whether the program's socket can say who the peer is: one of IPv4 can't say an address of IPv6."""


class Met(NamedTuple):
    """What tells accepted sockets apart: the listener's port, ours, and whether it is IPv6's loopback."""

    own: int
    ours: int
    ipv6: bool


@dataclass(slots=True)
class _Listener:
    inode: int
    address: Address
    wanted: Address
    ipv6_only: bool
    port: int | None
    """Of the target; None: this machine's alone."""
    missed: bool = False


@dataclass(slots=True)
class _Subscription:
    held: bool = False
    listeners: dict[int, _Listener] = field(default_factory=dict)
    waiting: list[tuple[int, _Listener]] = field(default_factory=list)
    """Channels that aren't answered."""


class Incoming:
    """Listeners and subscriptions.

    Args:
        actions: Where actions are put.
        ports: Where ports of loopback are told.
        decide: Returns the target's port for the address that a program wanted; None: this machine's alone.
        chosen: Returns the port that the user wants bound in a port's place; None: they said nothing of it.
    """

    def __init__(
        self,
        actions: list[Action],
        ports: Ports,
        decide: Callable[[Address], int | None],
        chosen: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        self._actions = actions
        self._ports = ports
        self._decide = decide
        self._chosen = chosen
        self._listeners: dict[int, _Listener] = {}
        self._subscriptions: dict[int, _Subscription] = {}
        self._met: dict[Met, tuple[Address, Address]] = {}
        self._told: set[tuple[int, int]] = set()
        self._lost = False

    @property
    def watches(self) -> bool:
        """Whether there are listeners whose end would have to be seen."""
        return bool(self._listeners)

    def follows(self, inode: int) -> bool:
        """Whether a socket is a listener of a program of this session, whatever user it has."""
        return inode in self._listeners

    def listens_on(self, port: int) -> bool:
        """Whether a program of this session listens on a port of this machine."""
        return any(listener.address.port == port for listener in self._listeners.values())

    # ------------------------------------------------------------------------------------------ layers' questions

    def listen(self, channel: int, inode: int, address: Address, wanted: Address, *, ipv6_only: bool) -> None:
        """Take a socket that listens on `address`, where its program wanted `wanted`."""
        known = self._listeners.get(inode)
        if known is not None and known.address != address:  # it was bound anew
            self._remove(known)
            known = None
        if known is not None:
            self._take_again(channel, known)
            return
        if len(self._listeners) >= MOST:
            self._answer(channel, LayerOutcome.LOCAL)
            return
        port = None if self._lost else self._decide(wanted)
        listener = self._listeners[inode] = _Listener(inode, address, wanted, ipv6_only, port)
        self._ports.add_own(address.port)
        if len(self._listeners) == 1:
            self._actions.append(WatchListeners())
        if port is None:
            self._answer(channel, LayerOutcome.LOCAL)
            return
        subscription = self._subscriptions.get(port)
        if subscription is None:
            subscription = self._subscriptions[port] = _Subscription()
            self._actions.append(WantPort(port))
        subscription.listeners[inode] = listener
        if subscription.held:
            self._accept(channel, listener)
        else:
            subscription.waiting.append((channel, listener))

    def _take_again(self, channel: int, known: _Listener) -> None:
        known.missed = False
        subscription = None if known.port is None else self._subscriptions.get(known.port)
        if subscription is None:
            self._answer(channel, LayerOutcome.LOCAL)
        elif subscription.held:
            self._answer(channel, LayerOutcome.DONE)
        else:
            subscription.waiting.append((channel, known))

    def describe(self, own: Address, peer: Address) -> bytes | None:
        """Return an accepted socket's addresses as the target sees them; None: its peer isn't ours."""
        plain_own = plain(own)
        met = self._met.get(Met(own.port, peer.port, len(plain_own.host) == 16))
        return write_pair(own, *met) if met else None

    # ------------------------------------------------------------------------------------------ events

    def subscribed(self, port: int) -> None:
        """Note that a port's connections come to us from now on."""
        subscription = self._subscriptions.get(port)
        if subscription is None:
            self._actions.append(LeavePort(port))
            return
        subscription.held = True
        waiting, subscription.waiting = subscription.waiting, []
        for channel, listener in waiting:
            self._accept(channel, listener)
        if not subscription.listeners:
            self._leave(port)

    def not_subscribed(self, port: int, failure: Failure) -> None:
        """Note that a port can't be had."""
        subscription = self._subscriptions.pop(port, None)
        if subscription is None:
            return
        text = _line(f"port {port} of the target can't be had: {failure.text or failure.errno}")
        taken = failure.errno == TAKEN
        for listener in subscription.listeners.values():
            listener.port = None
            if taken:  # it won't go on listening
                self._remove(listener)
        for channel, _ in subscription.waiting:
            if taken:
                self._answer(channel, LayerOutcome.FAILED, text, TAKEN)
            else:
                self._answer(channel, LayerOutcome.LOCAL, text)

    def unsubscribed(self, port: int) -> None:
        """Note that a subscription was ended by the other side."""
        subscription = self._subscriptions.pop(port, None)
        if subscription is not None:
            for listener in subscription.listeners.values():
                listener.port = None

    def looked(self, present: frozenset[int]) -> None:
        """Take the inodes of all sockets that listen on this machine."""
        for listener in list(self._listeners.values()):
            if listener.inode in present:
                listener.missed = False
            elif listener.missed:
                self._remove(listener)
            else:
                listener.missed = True

    def place(self, port: int, peer: Address) -> Place | None:
        """Return where a connection to the target's port goes to here; None: nobody listens any more."""
        subscription = self._subscriptions.get(port)
        if subscription is None or not subscription.listeners:
            return None
        ipv6 = len(plain(peer).host) == 16
        best = min(subscription.listeners.values(), key=lambda listener: _distance(listener, ipv6=ipv6))
        host = plain(best.address).host
        if not any(host):
            dual = len(host) == 16 and not best.ipv6_only
            host = LOOPBACK[4 if len(host) == 4 or (dual and not ipv6) else 16]
        return Place(
            Address(host, best.address.port, best.address.scope), best.wanted.port, len(host) == 16 or not ipv6
        )

    def met(self, met: Met, local: Address, peer: Address) -> None:
        """Note who is at the other end of a socket that a program is about to accept."""
        self._met[met] = (local, peer)
        self._ports.add_relayed(met.ours)
        self._ports.count_relay()

    def parted(self, met: Met) -> None:
        """Note that the program's socket is gone."""
        if self._met.pop(met, None):
            self._ports.remove_relayed(met.ours)

    def lost(self) -> None:
        """Note that the agent is gone: listeners are this machine's alone."""
        self._lost = True
        for subscription in self._subscriptions.values():
            for listener in subscription.listeners.values():
                listener.port = None
            for channel, _ in subscription.waiting:
                self._answer(channel, LayerOutcome.LOCAL)
        self._subscriptions.clear()

    # ------------------------------------------------------------------------------------------ inside

    def _accept(self, channel: int, listener: _Listener) -> None:
        here, wanted = listener.address.port, listener.wanted.port
        text = ""
        if here not in {wanted, self._chosen(wanted)} and (here, wanted) not in self._told:
            self._told.add((here, wanted))
            text = _line(f"port {wanted} is port {here} on this machine, where {wanted} can't be had")
        self._answer(channel, LayerOutcome.DONE, text)

    def _remove(self, listener: _Listener) -> None:
        del self._listeners[listener.inode]
        self._ports.remove_own(listener.address.port)
        self._told.discard((listener.address.port, listener.wanted.port))
        subscription = None if listener.port is None else self._subscriptions.get(listener.port)
        if subscription is not None and listener.port is not None:
            subscription.listeners.pop(listener.inode, None)
            if subscription.held and not subscription.listeners:
                self._leave(listener.port)

    def _leave(self, port: int) -> None:
        del self._subscriptions[port]
        self._actions.append(LeavePort(port))

    def _answer(self, channel: int, outcome: LayerOutcome, text: str = "", errno: str | None = None) -> None:
        payload = text.encode(errors="replace")
        self._actions.append(Answer(channel, LayerReply(outcome, errno=errno, payload=len(payload)), payload))


def _distance(listener: _Listener, *, ipv6: bool) -> int:
    """How well a listener fits a connection; 0 is best."""
    if ipv6:
        return 0 if len(plain(listener.address).host) == 16 else 1
    if len(plain(listener.address).host) == 4:
        return 0
    return 2 if listener.ipv6_only or any(listener.address.host) else 1


def _line(text: str) -> str:
    """Return a line for standard error; what another machine said can't do anything to a terminal."""
    return "mirrord: " + "".join(letter if letter.isprintable() else "?" for letter in text.rstrip(".")) + ".\n"

"""Addresses that a program wants and can't have on this machine, and which it gets in their place. No I/O.

The driver tries what is proposed here with a socket of its own: it has the program's user, so it is refused for the same
reasons. A port once chosen for another stays so, for those who share it and for a program that is started again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from mirrord_cli.session.actions import Action, Answer
from mirrord_cli.session.network.actions import Attempt, TryBind
from mirrord_cli.session.network.addresses import LOOPBACK, mapped, plain
from mirrord_protocol.layer_values import LayerOutcome, LayerReply
from mirrord_protocol.network_messages import encode_layer_address
from mirrord_protocol.network_values import Address

MOST: Final = 1024
"""Ports in the place of others that are remembered."""
NOT_HERE: Final = frozenset({"EADDRNOTAVAIL"})
TAKEN: Final = frozenset({"EADDRINUSE", "EACCES"})
LOCAL: Final = LayerReply(LayerOutcome.LOCAL)


class Binding:
    """Binds that are being decided, and ports that were chosen.

    Args:
        actions: Where actions are put.
        decide: Returns the target's port for an address; None: it is this machine's alone.
        chosen: Returns the port that the user wants bound in the place of another, or None.
        listens_on: Whether a program of this session listens on a port here.
    """

    def __init__(
        self,
        actions: list[Action],
        decide: Callable[[Address], int | None],
        chosen: Callable[[int], int | None],
        listens_on: Callable[[int], bool],
    ) -> None:
        self._actions = actions
        self._decide = decide
        self._chosen = chosen
        self._listens_on = listens_on
        self._pending: dict[int, tuple[int, Address, bool]] = {}
        """By number: channel, wanted, whether it is a stream's."""
        self._fixed: set[int] = set()
        """Numbers of those for which the user has chosen."""
        self._number = 0
        self._moved: OrderedDict[int, int] = OrderedDict()
        """Wanted port to the one bound."""
        self._wanted: dict[tuple[int, int], Address] = {}
        """Size of the host's address and bound port to the address wanted."""

    def wanted(self, address: Address) -> Address:
        """Return the address that a program wanted, by the one that was bound."""
        return self._wanted.get(_key(address), address)

    def moved(self, port: int) -> int | None:
        """Return the port that a program of this session listens on in the place of another."""
        here = self._moved.get(port)
        return here if here is not None and self._listens_on(here) else None

    # ------------------------------------------------------------------------------------------ layers' question

    def bind(self, channel: int, wanted: Address, *, datagram: bool, ipv6_only: bool) -> None:
        """Find what can be bound in the place of an address."""
        attempts = _elsewhere(wanted) if datagram or not wanted.port else self._for_listener(wanted)
        if not attempts:
            self._actions.append(Answer(channel, LOCAL))
            return
        self._number += 1
        if not datagram and self._chosen(wanted.port) == attempts[0].address.port:
            self._fixed.add(self._number)
        self._pending[self._number] = (channel, wanted, not datagram)
        self._actions.append(TryBind(self._number, attempts, datagram, ipv6_only))

    def _for_listener(self, wanted: Address) -> tuple[Attempt, ...]:
        host, port = wanted.host, wanted.port
        if self._decide(wanted) is None:
            return _elsewhere(wanted)
        if (fixed := self._chosen(port)) is not None:
            return (Attempt(Address(host, fixed, wanted.scope), shared=True),)
        if self._listens_on(port) and self.wanted(wanted).port == port:
            return ()  # by a program of ours: the error is right
        attempts = [Attempt(wanted)]
        if (before := self._moved.get(port)) is not None:
            attempts.append(Attempt(Address(host, before, wanted.scope), shared=True))
            if self._listens_on(before):
                return tuple(attempts)
        loopback = LOOPBACK[len(plain(wanted).host)]
        if len(host) == 16:
            loopback = mapped(Address(loopback, 0)).host
        return (
            *attempts,
            Attempt(Address(host, 0, wanted.scope), after=TAKEN),
            Attempt(Address(loopback, port), after=NOT_HERE),
            Attempt(Address(loopback, 0), after=NOT_HERE),
        )

    # ------------------------------------------------------------------------------------------ event

    def tried(self, number: int, bound: Address | str) -> None:
        """Take the first address that could be bound, or the first attempt's errno if none could."""
        channel, wanted, stream = self._pending.pop(number)
        fixed = number in self._fixed
        self._fixed.discard(number)
        if isinstance(bound, str):
            failed = LayerReply(LayerOutcome.FAILED, errno=bound)
            self._actions.append(Answer(channel, failed if fixed else LOCAL))
            return
        if stream and wanted.port:
            self._note(wanted, bound)
        payload = encode_layer_address(bound)
        self._actions.append(Answer(channel, LayerReply(LayerOutcome.DONE, payload=len(payload)), payload))

    def _note(self, wanted: Address, bound: Address) -> None:
        self._wanted.pop(_key(bound), None)
        if bound == wanted:
            self._moved.pop(wanted.port, None)
            return
        self._moved.pop(wanted.port, None)
        self._moved[wanted.port] = bound.port
        self._wanted[_key(bound)] = wanted
        while len(self._moved) > MOST:
            _, here = self._moved.popitem(last=False)
            for size in LOOPBACK:
                self._wanted.pop((size, here), None)


def _key(bound: Address) -> tuple[int, int]:
    return len(plain(bound).host), bound.port


def _elsewhere(wanted: Address) -> tuple[Attempt, ...]:
    """What a socket can have that isn't to be reached from outside: any address of this machine for one of the target's."""
    everywhere = Address(bytes(len(wanted.host)), wanted.port)
    return (
        Attempt(wanted),
        Attempt(everywhere, after=NOT_HERE),
        Attempt(Address(everywhere.host, 0), after=NOT_HERE),
    )

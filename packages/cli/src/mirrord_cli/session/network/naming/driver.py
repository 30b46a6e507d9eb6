"""Asks this machine's C library for names, in threads; what for is decided in ../names.py."""

from __future__ import annotations

from collections.abc import Callable

import trio

from mirrord_cli.session.actions import Action, AskHere
from mirrord_cli.session.machine import Machine


class Naming:
    """Carries out `AskHere`.

    Args:
        machine: Where answers go.
        perform: Called with the machine's actions.
        nursery: Runs the tasks.
    """

    def __init__(self, machine: Machine, perform: Callable[[list[Action]], None], nursery: trio.Nursery) -> None:
        self._machine = machine
        self._perform = perform
        self._nursery = nursery

    def ask(self, action: AskHere) -> None:
        """Begin to ask."""
        self._nursery.start_soon(self._ask, action)

    async def _ask(self, action: AskHere) -> None:
        hosts = await addresses_here(action.name)
        self._perform(self._machine.noted(self._machine.names.found_here, action.lookup, hosts))


async def addresses_here(name: bytes) -> tuple[bytes, ...]:
    """Return a name's addresses on this machine, the best first, as bytes in network order; none if it has none."""
    try:
        found = await trio.socket.getaddrinfo(name, None, type=trio.socket.SOCK_STREAM)
    except OSError:
        return ()
    hosts = (trio.socket.inet_pton(family, str(address[0]).partition("%")[0]) for family, _, _, _, address in found)
    return tuple(dict.fromkeys(hosts))

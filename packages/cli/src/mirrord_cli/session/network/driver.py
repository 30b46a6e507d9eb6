"""Carries out what machine.py and its parts decide: puts the drivers of this folder together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from mirrord_cli.session.actions import Action
from mirrord_cli.session.link.driver import Links
from mirrord_cli.session.log import Log
from mirrord_cli.session.machine import Machine
from mirrord_cli.session.network.actions import (
    AddPeer,
    Carry,
    Dial,
    Drop,
    DropPeer,
    Join,
    LeavePort,
    TryBind,
    WantPort,
    WatchDatagrams,
    WatchListeners,
)
from mirrord_cli.session.network.arriving.driver import Arrivals
from mirrord_cli.session.network.carrying.driver import Carrier
from mirrord_cli.session.network.dialing.driver import Dialer
from mirrord_cli.session.network.kernel.driver import Kernel
from mirrord_cli.session.network.tails.driver import Tails
from mirrord_cli.session.network.trying.driver import try_bind
from mirrord_cli.session.settings import IncomingRules
from mirrord_protocol.client import Client

SHARE = 4
"""A quarter of the descriptors are for connections that come, another for peers of datagram sockets; connects may have
half of them, since nobody has all of these.
"""


class Sockets:
    """The session's side of programs' sockets.

    Args:
        client: The agent's.
        machine: Decides.
        perform: Called with the machine's actions.
        links: Where channels are.
        rules: What the user wants of connections that come.
        user: The session's.
        limit: So many descriptors this process may have.
        log: Where events are logged.
        nursery: Runs the tasks.
    """

    def __init__(
        self,
        client: Client,
        machine: Machine,
        perform: Callable[[list[Action]], None],
        links: Links,
        rules: IncomingRules,
        user: int,
        limit: int,
        log: Log,
        nursery: trio.Nursery,
    ) -> None:
        self._machine = machine
        self._perform = perform
        network, share = machine.network, limit // SHARE
        network.outgoing.most = limit // 2
        self._kernel, self._tails = Kernel(), Tails()
        self._dialer = Dialer(client, network.outgoing, self._tell, links, self._kernel, user, nursery, self._tails)
        self._carrier = Carrier(client, network.datagrams, network.near, self._tell, self._kernel, nursery, share)
        self._arrivals = Arrivals(
            client, rules, network.incoming, self._tell, self._kernel, user, nursery, share, log, self._tails
        )

    async def leave(self) -> None:
        """Let what ended programs said last arrive, for a moment."""
        self._arrivals.close()
        await self._tails.leave()

    def close(self) -> None:
        """Give back what isn't a task's; before the nursery is closed, which nothing may be started in then."""
        self._dialer.close()
        self._carrier.close()
        self._arrivals.close()
        self._kernel.close()

    def actions(self) -> dict[type, Callable[[Any], None]]:
        """Return what carries out which action."""
        return {
            Dial: self._dialer.dial,
            Join: self._dialer.join,
            Carry: self._carrier.carry,
            AddPeer: self._carrier.add_peer,
            DropPeer: self._carrier.drop_peer,
            Drop: self._carrier.drop,
            TryBind: lambda action: self._tell(self._machine.network.binding.tried, action.bind, try_bind(action)),
            WantPort: self._arrivals.want,
            LeavePort: self._arrivals.leave,
            WatchListeners: lambda _: self._arrivals.watch(),
            WatchDatagrams: lambda _: self._carrier.watch(),
        }

    def _tell(self, event: Callable[..., None], *args: Any) -> None:
        """Tell the machine, and carry out what that leads to."""
        self._perform(self._machine.noted(event, *args))

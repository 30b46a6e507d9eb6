"""What layers' questions about sockets lead to: events in, actions out. No I/O; driver.py carries the actions out.

Whose a socket's other end is, is decided by rules.py with the names that names.py knows; then it is a connect's
(outgoing.py), a datagram socket's (datagrams.py), a listener's (incoming.py) or a bound address's (binding.py), each of
which has the table of its states. Events are methods of those four; `lost` is for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from mirrord_cli.session.actions import Action, Answer
from mirrord_cli.session.network.addresses import (
    family_of,
    is_nowhere,
    plain,
    read_addresses,
    read_unix,
)
from mirrord_cli.session.network.binding import Binding
from mirrord_cli.session.network.datagrams import Datagrams
from mirrord_cli.session.network.incoming import Incoming
from mirrord_cli.session.network.names import Names
from mirrord_cli.session.network.near import Near
from mirrord_cli.session.network.outgoing import Outgoing
from mirrord_cli.session.network.ports import Ports
from mirrord_cli.session.network.rules import NetworkDecisions, Protocol, is_loopback
from mirrord_cli.session.settings import NetworkRules
from mirrord_cli.session.table import Table, network_flags
from mirrord_protocol.layer_values import LayerOperation, LayerOutcome, LayerReply, LayerRequest, LayerSocket
from mirrord_protocol.network_messages import encode_layer_address
from mirrord_protocol.network_values import Address

DONE: Final = LayerReply(LayerOutcome.DONE)
LOCAL: Final = LayerReply(LayerOutcome.LOCAL)
INVALID: Final = LayerReply(LayerOutcome.FAILED, errno="EINVAL")
MICROSECONDS: Final = 1_000_000
LONGEST: Final = 3600.0
"""Seconds; a longer timeout of a program is as good as none."""
Handler = Callable[[int, LayerRequest, bytes], None]


class Network:
    """Sockets of programs.

    Args:
        actions: Where actions are put.
        decisions: Whose something is.
        names: Which names an address has.
        table: Where layers see ports.
    """

    def __init__(self, actions: list[Action], decisions: NetworkDecisions, names: Names, table: Table) -> None:
        self._actions = actions
        self._decisions = decisions
        self._names = names
        self._table = table
        self._ports = Ports(table)
        self.outgoing = Outgoing(actions, self._ports)
        self.datagrams = Datagrams(actions, self._ports)
        self.near = Near(actions)
        self.incoming = Incoming(actions, self._ports, decisions.incoming, decisions.bound_port)
        self.binding = Binding(actions, decisions.incoming, decisions.bound_port, self.incoming.listens_on)

    def handlers(self) -> dict[LayerOperation, Handler]:
        """Return what answers which operation."""
        return {
            LayerOperation.CONNECT: self._connect,
            LayerOperation.CONNECTING: self._connecting,
            LayerOperation.OUTCOME: lambda channel, request, _: self.outgoing.outcome(channel, request.inode),
            LayerOperation.DESCRIBE: self._describe,
            LayerOperation.BIND: self._bind,
            LayerOperation.LISTEN: self._listen,
            LayerOperation.SEND: self._send,
        }

    def begin(self, rules: NetworkRules, hostname: bytes) -> None:
        """Go by these rules, which are the user's less what the target can't give; before any layer looks."""
        self._decisions.rules = rules
        self._names.hostname = hostname
        self._table.set_network(network_flags(rules))
        for first, last in rules.debugger_ports:
            for port in range(max(first, 1), min(last, 0xFFFF) + 1):
                self._ports.add_own(port)

    def found_debuggers(self, ports: Iterable[int]) -> None:
        """Note ports of debuggers that a program was started with: on loopback they are this machine's."""
        for port in ports:
            if self._decisions.add_debugger(port):
                self._ports.add_own(port)

    def lost(self) -> None:
        """Note that the agent is gone."""
        self.outgoing.lost()
        self.datagrams.lost()
        self.incoming.lost()

    # ------------------------------------------------------------------------------------------ layers' questions

    def _connect(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        family, inode = family_of(request.flags), request.inode
        timeout = request.length / MICROSECONDS if 0 < request.length < LONGEST * MICROSECONDS else None
        waits = not request.flags & LayerSocket.NON_BLOCKING
        if request.flags & LayerSocket.UNIX:
            name = read_unix(payload)
            if name is None:
                self._answer(channel, INVALID)
            elif not (self._decisions.rules.unix_streams and self._decisions.unix(name.path)):
                self._answer(channel, LOCAL)
            else:  # even one that doesn't wait is connected at once, or not at all
                self.outgoing.connect(channel, inode, name, family, waits=True, timeout=timeout)
            return
        to = self._one_address(channel, payload)
        if to is None:
            return

        def remote(target: Address) -> None:
            if request.flags & LayerSocket.DATAGRAM:
                self.datagrams.connect(channel, inode, target, family)
            else:
                self.outgoing.connect(channel, inode, target, family, waits=waits, timeout=timeout)

        self._decide(channel, "udp" if request.flags & LayerSocket.DATAGRAM else "tcp", to, remote)

    def _connecting(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        own = self._one_address(channel, payload)
        if own is not None:
            self._answer(channel, DONE)
            self.outgoing.connecting(request.inode, own)

    def _describe(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        if request.flags & LayerSocket.UNIX:
            self._tell(channel, self.outgoing.describe_unix(request.inode))
            return
        pair = read_addresses(payload, 2)
        if pair is None or is_nowhere(pair[0]):
            self._answer(channel, INVALID)
            return
        own, peer = pair
        if is_nowhere(peer):
            wanted = self.binding.wanted(own)
            found = None if wanted == own else encode_layer_address(wanted) + encode_layer_address(peer)
        else:
            found = (
                self.outgoing.describe(request.inode, own, peer)
                or self.incoming.describe(own, peer)
                or self.datagrams.describe(request.inode, own, peer)
            )
        self._tell(channel, found)

    def _bind(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        wanted = self._one_address(channel, payload)
        if wanted is not None:
            self.binding.bind(
                channel,
                wanted,
                datagram=bool(request.flags & LayerSocket.DATAGRAM),
                ipv6_only=bool(request.flags & LayerSocket.IPV6_ONLY),
            )

    def _listen(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        address = self._one_address(channel, payload)
        if address is None:
            return
        if not address.port:
            self._answer(channel, LOCAL)
            return
        if request.flags & LayerSocket.DATAGRAM:
            self.near.add(request.inode, address.port)
            self._answer(channel, DONE)
            return
        ipv6_only = bool(request.flags & LayerSocket.IPV6_ONLY)
        self.incoming.listen(channel, request.inode, address, self.binding.wanted(address), ipv6_only=ipv6_only)

    def _send(self, channel: int, request: LayerRequest, payload: bytes) -> None:
        pair = read_addresses(payload, 2)
        if pair is None or any(map(is_nowhere, pair)) or not pair[0].port:
            self._answer(channel, INVALID)
            return
        own, to = pair
        if _is_near(to) and self.near.owns(to.port):
            self.near.add(request.inode, own.port)  # it may be answered
        self._decide(
            channel,
            "udp",
            to,
            lambda target: self.datagrams.send(channel, request.inode, own, target, family_of(request.flags)),
        )

    # ------------------------------------------------------------------------------------------ whose is it

    def _decide(self, channel: int, protocol: Protocol, to: Address, remote: Callable[[Address], None]) -> None:
        """Go on with `remote` if a destination is the target's; else say where it is on this machine."""
        near = _is_near(to)
        owns = self._ports.owns if protocol == "tcp" else self._owns_datagrams
        if near and (here := self.binding.moved(to.port)) is not None and protocol == "tcp":
            self._stay(channel, Address(to.host, here, to.scope))
            return

        def named(names: tuple[str, ...]) -> None:
            target = self._decisions.outgoing(protocol, to, names, own=owns(to.port))
            if target is not None:
                remote(target)
            elif near:
                self._answer(channel, LOCAL)
            else:
                self._names.find_here(to, lambda found: self._stay(channel, found))

        self._names.find_names(to, self._decisions.names_to_know(protocol, to), named)

    def _owns_datagrams(self, port: int) -> bool:
        return self._ports.owns(port) or self.near.owns(port)

    def _stay(self, channel: int, to: Address | None) -> None:
        payload = b"" if to is None else encode_layer_address(to)
        self._answer(channel, LayerReply(LayerOutcome.LOCAL, payload=len(payload)), payload)

    # ------------------------------------------------------------------------------------------ inside

    def _one_address(self, channel: int, payload: bytes) -> Address | None:
        addresses = read_addresses(payload, 1)
        if addresses is None or is_nowhere(addresses[0]):
            self._answer(channel, INVALID)
            return None
        return addresses[0]

    def _tell(self, channel: int, found: bytes | None) -> None:
        """Answer with what is known of a socket."""
        if found:
            self._answer(channel, LayerReply(LayerOutcome.DONE, payload=len(found)), found)
        else:
            self._answer(channel, LOCAL)

    def _answer(self, channel: int, reply: LayerReply, payload: bytes = b"") -> None:
        self._actions.append(Answer(channel, reply, payload))


def _is_near(to: Address) -> bool:
    """Whether a destination is loopback; one that is unspecified means it too."""
    host = plain(to).host
    return is_loopback(host) or not any(host)


def may_be_debuggers(request: LayerRequest, payload: bytes) -> bool:
    """Whether a question may be about a debugger's port, so that it matters what its process was started with."""
    if request.operation is LayerOperation.LISTEN:
        return not request.flags & LayerSocket.DATAGRAM
    if request.operation is not LayerOperation.CONNECT or request.flags & LayerSocket.UNIX:
        return False
    addresses = read_addresses(payload, 1)
    if addresses is None or is_nowhere(addresses[0]):
        return False
    return _is_near(addresses[0])

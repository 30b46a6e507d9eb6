"""Datagram sockets of programs and the peers that each of them speaks to. Events in, actions out; no I/O.

A connected socket has one peer, any other one for each address that it sent to or heard from. Each peer is a port of
loopback here, so that the kernel's source addresses tell them apart.

| state of a socket | leaves it by | to |
|---|---|---|
| opening (a socket of the target's is made) | `opened` | carried |
| | `not_opened`, `gone`, `lost` | none |
| carried | `gone` (the program's socket is), `lost`, another `connect` of it | none |
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from mirrord_cli.session.actions import Action, Answer
from mirrord_cli.session.network.actions import AddPeer, Carry, Drop, DropPeer, Family
from mirrord_cli.session.network.addresses import write_loopback, write_pair
from mirrord_cli.session.network.ports import Ports
from mirrord_protocol.layer_values import LayerOutcome, LayerReply
from mirrord_protocol.network_values import Address

DOWN: Final = "ENETDOWN"
FULL: Final = "EMFILE"
MOST: Final = 1024
"""Sockets that are carried at once."""
MOST_PEERS: Final = 256
"""Of one socket; the one longest not asked about makes room."""

Key = tuple[int, int]
"""The inode, and 0 for a connected socket, else the size of its peers' addresses."""


@dataclass(slots=True)
class _Socket:
    key: Key
    family: Family
    port: int = 0
    """The program's, of a socket that isn't connected."""
    local: Address | None = None
    """As the target has it; None until it is known."""
    peers: OrderedDict[Address, int] = field(default_factory=OrderedDict)
    """Their ports here; 0 until they are made."""
    waiting: list[tuple[int, Address]] = field(default_factory=list)
    """Channels, and the peers they wait for."""


class Datagrams:
    """Datagram sockets.

    Args:
        actions: Where actions are put.
        ports: Where our sockets' ports are told.
    """

    def __init__(self, actions: list[Action], ports: Ports) -> None:
        self._actions = actions
        self._ports = ports
        self._sockets: dict[int, _Socket] = {}
        self._by_key: dict[Key, int] = {}
        self._by_port: dict[int, tuple[int, Address]] = {}
        self._number = 0
        self._lost = False

    # ------------------------------------------------------------------------------------------ layers' questions

    def connect(self, channel: int, inode: int, to: Address, family: Family) -> None:
        """Carry a socket that is about to be connected."""
        if (earlier := self._by_key.get((inode, 0))) is not None:
            self._drop(earlier)
        number = self._begin(channel, (inode, 0), family)
        if number is not None:
            self._sockets[number].peers[to] = 0
            self._sockets[number].waiting.append((channel, to))
            self._actions.append(Carry(number, inode, family, to, ipv6=len(to.host) == 16))

    def send(self, channel: int, inode: int, own: Address, to: Address, family: Family) -> None:
        """Say where a socket that isn't connected sends a datagram for an address."""
        key = (inode, len(to.host))
        number = self._by_key.get(key)
        if number is not None and self._sockets[number].port != own.port:  # the kernel gave it another one
            self._drop(number)
            number = None
        if number is None:
            number = self._begin(channel, key, family)
            if number is None:
                return
            self._sockets[number].port = own.port
            self._actions.append(Carry(number, inode, family, None, len(to.host) == 16, own))
        sock = self._sockets[number]
        if port := sock.peers.get(to):
            sock.peers.move_to_end(to)
            self._answer(channel, sock, port)
            return
        sock.waiting.append((channel, to))
        if to not in sock.peers:
            self._add_peer(number, to)

    def heard(self, number: int, peer: Address) -> None:
        """Note that a socket that isn't connected got a datagram from somebody new."""
        if (sock := self._sockets.get(number)) is not None and peer not in sock.peers:
            self._add_peer(number, peer)

    def describe(self, inode: int, own: Address, peer: Address) -> bytes | None:
        """Return a socket's own and a peer's address as the target sees them; None: the peer isn't ours."""
        number, truth = self._by_port.get(peer.port, (0, peer))
        sock = self._sockets.get(number)
        if sock is None or sock.key[0] != inode:
            return None
        return write_pair(own, sock.local or own, truth)

    # ------------------------------------------------------------------------------------------ events

    def opened(self, number: int, local: Address) -> None:
        """Note the address of the target's socket."""
        if (sock := self._sockets.get(number)) is not None:
            sock.local = local

    def not_opened(self, number: int, errno: str) -> None:
        """Note why the target can't have such a socket."""
        if number in self._sockets:
            self._fail_all(self._sockets[number], errno)
            self._forget(number)

    def peered(self, number: int, peer: Address, port: int) -> None:
        """Note the port that stands for a peer here."""
        sock = self._sockets.get(number)
        if sock is None or peer not in sock.peers:
            return
        sock.peers[peer] = port
        self._by_port[port] = (number, peer)
        self._ports.add_relayed(port)
        self._ports.count_relayed_datagrams()
        waiting, sock.waiting = sock.waiting, []
        for channel, wanted in waiting:
            if wanted == peer:
                self._answer(channel, sock, port)
            else:
                sock.waiting.append((channel, wanted))

    def not_peered(self, number: int, peer: Address, errno: str) -> None:
        """Note that no socket can be had for a peer."""
        sock = self._sockets.get(number)
        if sock is None or sock.peers.pop(peer, None) is None:
            return
        for channel in [channel for channel, wanted in sock.waiting if wanted == peer]:
            self._fail(channel, errno)
        sock.waiting = [(channel, wanted) for channel, wanted in sock.waiting if wanted != peer]

    def silent(self, number: int, peer: Address) -> None:
        """Note that a peer's port was given up, since nothing came or went for long."""
        if (sock := self._sockets.get(number)) is not None and peer in sock.peers:
            self._remove_peer(sock, peer)

    def gone(self, number: int) -> None:
        """Note that a program's socket is gone, and ours with it."""
        if number in self._sockets:
            self._fail_all(self._sockets[number], DOWN)
            self._forget(number)

    def lost(self) -> None:
        """Note that the agent is gone."""
        self._lost = True
        for number in list(self._sockets):
            self._drop(number)

    # ------------------------------------------------------------------------------------------ inside

    def _begin(self, channel: int, key: Key, family: Family) -> int | None:
        if self._lost or len(self._sockets) >= MOST:
            self._fail(channel, DOWN if self._lost else FULL)
            return None
        self._number += 1
        self._sockets[self._number] = _Socket(key, family)
        self._by_key[key] = self._number
        return self._number

    def _add_peer(self, number: int, peer: Address) -> None:
        sock = self._sockets[number]
        if len(sock.peers) >= MOST_PEERS:
            oldest = next(iter(sock.peers))
            for channel in [channel for channel, wanted in sock.waiting if wanted == oldest]:
                self._fail(channel, FULL)
            sock.waiting = [(channel, wanted) for channel, wanted in sock.waiting if wanted != oldest]
            self._remove_peer(sock, oldest)
            self._actions.append(DropPeer(number, oldest))
        sock.peers[peer] = 0
        self._actions.append(AddPeer(number, peer))

    def _remove_peer(self, sock: _Socket, peer: Address) -> None:
        port = sock.peers.pop(peer)
        if port:
            del self._by_port[port]
            self._ports.remove_relayed(port)

    def _drop(self, number: int) -> None:
        self._actions.append(Drop(number))
        self.gone(number)

    def _forget(self, number: int) -> None:
        sock = self._sockets.pop(number)
        for peer in list(sock.peers):
            self._remove_peer(sock, peer)
        if self._by_key.get(sock.key) == number:
            del self._by_key[sock.key]

    def _answer(self, channel: int, sock: _Socket, port: int) -> None:
        payload = write_loopback(sock.family, port)
        self._actions.append(Answer(channel, LayerReply(LayerOutcome.DONE, payload=len(payload)), payload))

    def _fail(self, channel: int, errno: str) -> None:
        self._actions.append(Answer(channel, LayerReply(LayerOutcome.FAILED, errno=errno)))

    def _fail_all(self, sock: _Socket, errno: str) -> None:
        for channel, _ in sock.waiting:
            self._fail(channel, errno)
        sock.waiting.clear()

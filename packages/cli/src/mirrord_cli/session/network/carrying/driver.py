"""Carries datagrams between programs' sockets and the target's network: one socket of the target's for each program's,
one socket on loopback for each peer of it. What is remembered of them is ../datagrams.py's.

Nothing waits here but in the kernel: what the target's side has no credit for, and what a program's socket has no room
for, is dropped, as networks do.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import trio

from mirrord_cli.session.network.actions import AddPeer, Carry, Drop, DropPeer, Family
from mirrord_cli.session.network.addresses import LOOPBACK, plain
from mirrord_cli.session.network.datagrams import DOWN, FULL, Datagrams
from mirrord_cli.session.network.kernel.driver import Kernel
from mirrord_cli.session.network.near import Near
from mirrord_cli.session.questions import MEANINGS
from mirrord_protocol.client import Client, ConnectionLost, RemoteError
from mirrord_protocol.connections import DatagramStream
from mirrord_protocol.failure import errno_name
from mirrord_protocol.network_values import NOWHERE, Address

LOOK: Final = 1.0
"""Seconds between two looks whether programs' sockets are there."""
SILENCE: Final = 60.0
"""Seconds after which what nobody uses is given up."""
REFUSED: Final = 10.0
"""Seconds for which a peer that refused datagrams refuses them here."""
PAUSE: Final = 1.0
"""Seconds between two attempts to have a socket of the target's."""
ROOM: Final = 1 << 16
BURST: Final = 64
"""Datagrams that are taken from a socket before others have their turn."""
Tell = Callable[..., None]


@dataclass(slots=True)
class _Peer:
    """One of a program's socket's peers, and the socket that stands for it."""

    address: Address
    socket: socket.socket
    used: float
    met: bool
    """Whether the socket is connected to the program's."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


@dataclass(slots=True)
class _Carried:
    """A program's socket."""

    carry: Carry
    since: float
    stream: DatagramStream | None = None
    ready: trio.Event = field(default_factory=trio.Event)
    """Set once there was a stream."""
    peers: dict[Address, _Peer] = field(default_factory=dict)
    tried: float = 0.0
    missed: bool = False
    dropped: bool = False


class Carrier:
    """Datagram sockets.

    Args:
        client: The agent's.
        datagrams: What is told of them.
        near: What is told of those that others on this machine may send to.
        tell: How.
        kernel: Says whose a datagram is, and which sockets there are.
        nursery: Runs the tasks.
        most: So many peers of all sockets there may be.
    """

    def __init__(
        self,
        client: Client,
        datagrams: Datagrams,
        near: Near,
        tell: Tell,
        kernel: Kernel,
        nursery: trio.Nursery,
        most: int,
    ) -> None:
        self._client = client
        self._datagrams = datagrams
        self._near = near
        self._tell = tell
        self._kernel = kernel
        self._nursery = nursery
        self._most = most
        self._count = 0
        self._carried: dict[int, _Carried] = {}
        self._watching = False

    def close(self) -> None:
        """Give all up."""
        for carried in self._carried.values():
            self._end(carried)
        self._carried.clear()

    # ------------------------------------------------------------------------------------------ actions

    def carry(self, action: Carry) -> None:
        """Begin to carry a socket's datagrams."""
        carried = self._carried[action.socket] = _Carried(action, trio.current_time())
        self._nursery.start_soon(self._begin, carried)
        self.watch()

    def watch(self) -> None:
        """Look for the end of programs' sockets as long as there are any."""
        if not self._watching:
            self._watching = True
            self._nursery.start_soon(self._watch)

    def add_peer(self, action: AddPeer) -> None:
        """Make the socket that stands for a peer."""
        if (carried := self._carried.get(action.socket)) is not None:
            self._add_peer(carried, action.peer)

    def drop_peer(self, action: DropPeer) -> None:
        """Give a peer up."""
        if (carried := self._carried.get(action.socket)) is not None:
            self._remove_peer(carried, action.peer)

    def drop(self, action: Drop) -> None:
        """Give a socket up."""
        if (carried := self._carried.pop(action.socket, None)) is not None:
            self._end(carried)

    # ------------------------------------------------------------------------------------------ the target's socket

    async def _begin(self, carried: _Carried) -> None:
        number, to = carried.carry.socket, carried.carry.to
        errno_ = await self._open(carried)
        if carried.dropped:
            return
        if errno_:
            self._tell(self._datagrams.not_opened, number, errno_)
            if self._carried.pop(number, None) is not None:
                self._end(carried)
            return
        assert carried.stream is not None
        self._tell(self._datagrams.opened, number, carried.stream.local)
        if to is not None:
            self._add_peer(carried, to)

    async def _open(self, carried: _Carried) -> str:
        """Have a socket on the target; an errno if none can be had."""
        carried.tried = trio.current_time()
        try:
            stream = await self._client.datagrams(carried.carry.to or NOWHERE, ipv6=carried.carry.ipv6)
        except RemoteError as error:
            return error.failure.errno or MEANINGS.get(error.failure.kind, "EIO")
        except ConnectionLost:
            return DOWN
        if carried.dropped:
            stream.close()
            return DOWN
        carried.stream = stream
        stream.pour_into(lambda address, data: self._came(carried, address, data))
        stream.when_over(lambda: self._over(carried, stream))
        carried.ready.set()
        return ""

    def _over(self, carried: _Carried, stream: DatagramStream) -> None:
        """Take the end of the target's socket: for a connected one what the network told of the peer."""
        if carried.stream is not stream or carried.dropped:
            return
        carried.stream = None
        to = carried.carry.to
        if stream.failure is not None and to is not None and to in carried.peers:
            self._nursery.start_soon(self._refuse, carried, to)

    async def _refuse(self, carried: _Carried, to: Address) -> None:
        """Let the kernel refuse what the program sends, for a while."""
        peer = carried.peers.get(to)
        if peer is None:  # given up meanwhile
            return
        name = peer.socket.getsockname()
        self._remove_peer(carried, to, tell=False)
        await trio.sleep(REFUSED)
        if carried.dropped:
            return
        try:
            self._stand_in(carried, to, name)
        except OSError:
            self._gone(carried)

    def _came(self, carried: _Carried, address: Address, data: bytes | memoryview) -> None:
        """Hand a datagram of the target's to the program."""
        peer = self._peer_of(carried, address)
        if peer is None or not peer.met:
            return
        peer.used = trio.current_time()
        with suppress(OSError):  # no room, or nobody is there any more
            peer.socket.send(data)

    def _peer_of(self, carried: _Carried, address: Address) -> _Peer | None:
        if carried.carry.to is not None:
            return carried.peers.get(carried.carry.to)
        address = plain(address)
        if address not in carried.peers:
            self._tell(self._datagrams.heard, carried.carry.socket, address)
        return carried.peers.get(address)

    # ------------------------------------------------------------------------------------------ the program's socket

    def _add_peer(self, carried: _Carried, address: Address) -> None:
        number = carried.carry.socket
        if self._count >= self._most:
            self._tell(self._datagrams.not_peered, number, address, FULL)
            return
        try:
            port = self._stand_in(carried, address, None)
        except OSError as error:
            self._tell(self._datagrams.not_peered, number, address, errno_name(error.errno or errno.EIO))
            return
        self._tell(self._datagrams.peered, number, address, port)

    def _stand_in(self, carried: _Carried, address: Address, name: tuple[str, int] | None) -> int:
        """Make a peer's socket, with a name that it had or with any; return its port."""
        ipv6 = carried.carry.family is Family.IPV6
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        end = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            end.bind(name or ("::1" if ipv6 else "127.0.0.1", 0))
            if (own := carried.carry.own) is not None:
                host = plain(own).host
                if not any(host):
                    host = LOOPBACK[16 if ipv6 else 4]
                end.connect((socket.inet_ntop(family, host), own.port))
        except (OSError, ValueError) as error:
            end.close()
            if isinstance(error, ValueError):  # the program told an address of another family
                raise OSError(errno.EAFNOSUPPORT, "not an address of this socket's") from None
            raise
        peer = carried.peers[address] = _Peer(address, end, trio.current_time(), own is not None)
        self._count += 1
        self._nursery.start_soon(self._read, carried, peer)
        port: int = end.getsockname()[1]
        return port

    async def _read(self, carried: _Carried, peer: _Peer) -> None:
        """Take what the program sends to a peer; until there is a way on, the kernel keeps some of it."""
        with peer.scope:
            await carried.ready.wait()
            while True:
                await trio.lowlevel.wait_readable(peer.socket)
                if carried.stream is None:
                    await self._open_again(carried)
                for _ in range(BURST):
                    try:
                        data, source = peer.socket.recvfrom(ROOM)
                    except BlockingIOError:
                        break
                    except OSError:
                        continue  # what we sent was refused: the program's socket is gone, or about to go
                    if peer.met or self._meet(carried, peer, source):
                        peer.used = trio.current_time()
                        if carried.stream is not None:
                            carried.stream.send(peer.address, data)

    async def _open_again(self, carried: _Carried) -> None:
        """Try to have a socket on the target again; what the program sends meanwhile, and if it fails, is lost."""
        await trio.sleep(max(0.0, carried.tried + PAUSE - trio.current_time()))
        stream = carried.stream
        if stream is None and not await self._open(carried) and (stream := carried.stream) is not None:
            self._tell(self._datagrams.opened, carried.carry.socket, stream.local)

    def _meet(self, carried: _Carried, peer: _Peer, source: tuple[str, int]) -> bool:
        """Connect a peer's socket to the program's, if that is where a datagram came from."""
        theirs, ours = (
            Address(socket.inet_pton(peer.socket.family, name[0]), name[1])
            for name in (source, peer.socket.getsockname())
        )
        found = self._kernel.datagrams(theirs, ours)
        if found is None or found.inode != carried.carry.inode & 0xFFFFFFFF:
            return False
        try:
            peer.socket.connect(source)
        except OSError:
            return False
        peer.met = True
        return True

    # ------------------------------------------------------------------------------------------ ends

    async def _watch(self) -> None:
        """Give up what belongs to sockets that are gone, and what nobody uses."""
        while self._carried or self._near.watches:
            await trio.sleep(LOOK)
            now, present = trio.current_time(), self._kernel.datagram_sockets()
            if present is None:
                continue
            self._tell(self._near.looked, present)
            for carried in list(self._carried.values()):
                if carried.carry.inode & 0xFFFFFFFF in present or now - carried.since < 2 * LOOK:
                    carried.missed = False
                    self._rest(carried, now)
                elif carried.missed:
                    self._gone(carried)
                else:
                    carried.missed = True
        self._watching = False

    def _rest(self, carried: _Carried, now: float) -> None:
        silent = [peer for peer in carried.peers.values() if now - peer.used > SILENCE]
        if carried.carry.to is not None:
            if silent and carried.stream is not None:  # the program's socket stays connected to ours
                stream, carried.stream = carried.stream, None
                stream.close()
            return
        for peer in silent:
            self._remove_peer(carried, peer.address)
        if silent and not carried.peers:
            self._gone(carried)

    def _gone(self, carried: _Carried) -> None:
        if self._carried.pop(carried.carry.socket, None) is not None:
            self._end(carried)
            self._tell(self._datagrams.gone, carried.carry.socket)

    def _end(self, carried: _Carried) -> None:
        carried.dropped = True
        for address in list(carried.peers):
            self._remove_peer(carried, address, tell=False)
        if carried.stream is not None:
            stream, carried.stream = carried.stream, None
            stream.close()

    def _remove_peer(self, carried: _Carried, address: Address, *, tell: bool = True) -> None:
        peer = carried.peers.pop(address, None)
        if peer is None:
            return
        self._count -= 1
        peer.scope.cancel()
        trio.lowlevel.notify_closing(peer.socket)
        peer.socket.close()
        if tell:
            self._tell(self._datagrams.silent, carried.carry.socket, address)

"""Outgoing connections of programs, by the inode of their sockets. Events in, actions out; no I/O.

A connect goes through these states; one that waits is answered once, in `reached` or `failed`, any other at once.

| state | leaves it by | to |
|---|---|---|
| dialed (the agent connects) | `reached` | reached |
| | `unreached` (the target's errno), `lost` | failed |
| | `abandoned` (its channel, or its socket, is closed) | forgotten |
| reached (the target is connected, the program not yet) | `joined` | carried |
| | `ended` (it didn't come) | forgotten |
| | `unreached` (no descriptor is left) | failed |
| carried (bytes go both ways, past this machine) | `ended` | ended |
| failed, ended | newer ones, when there are too many | forgotten |

What a socket is, is remembered beyond its end, since programs ask then: its errno, its addresses. The kernel doesn't use
an inode twice, so nothing remembered can be another socket's.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from mirrord_cli.session.actions import Action, Answer
from mirrord_cli.session.network.actions import Dial, Family, Join
from mirrord_cli.session.network.addresses import plain, write_loopback, write_pair
from mirrord_cli.session.network.ports import Ports
from mirrord_protocol.layer_values import LayerOutcome, LayerReply
from mirrord_protocol.network_values import Address, UnixAddress

DOWN: Final = "ENETDOWN"
PENDING: Final = "EINPROGRESS"
FULL: Final = "EMFILE"
MOST_DIALED: Final = 4096
"""Connects that aren't decided yet."""
MOST: Final = 1 << 15
MOST_OVER: Final = 4096
"""Ended and failed ones that are remembered."""
DONE: Final = LayerReply(LayerOutcome.DONE)


class State(enum.Enum):
    """Of a connect."""

    DIALED = enum.auto()
    REACHED = enum.auto()
    CARRIED = enum.auto()
    ENDED = enum.auto()
    FAILED = enum.auto()


@dataclass(slots=True)
class _Connect:
    inode: int
    family: Family
    channel: int | None
    """Not answered yet."""
    state: State = State.DIALED
    errno: str = ""
    local: Address | None = None
    """As the target sees the socket; None for a Unix one, which has no name."""
    peer: Address | None = None
    port: int = 0
    """Of our end."""
    path: bytes = b""
    """Where a Unix one went."""
    waits: bool = False


class Outgoing:
    """Connects.

    Args:
        actions: Where actions are put.
        ports: Where our ends' ports are told.
    """

    def __init__(self, actions: list[Action], ports: Ports) -> None:
        self._actions = actions
        self._ports = ports
        self._connects: dict[int, _Connect] = {}
        self._by_inode: dict[int, int] = {}
        self._over: OrderedDict[int, None] = OrderedDict()
        self._undecided = 0
        self._number = 0
        self._lost = False
        self.most = MOST
        """So many may be undecided or alive at once."""

    def __len__(self) -> int:
        """How many are known, the ended ones too."""
        return len(self._connects)

    # ------------------------------------------------------------------------------------------ layers' questions

    def connect(
        self, channel: int, inode: int, to: Address | UnixAddress, family: Family, *, waits: bool, timeout: float | None
    ) -> None:
        """Begin to connect."""
        if self._lost:
            self._fail(channel, DOWN)
            return
        if self._undecided >= MOST_DIALED or len(self._connects) - len(self._over) >= self.most:
            self._fail(channel, FULL)
            return
        if (earlier := self._by_inode.get(inode)) is not None and earlier in self._over:
            self._forget(earlier)
        self._number += 1
        self._undecided += 1
        path = to.path if isinstance(to, UnixAddress) else b""
        self._connects[self._number] = _Connect(inode, family, channel, path=path, waits=waits)
        self._by_inode[inode] = self._number
        self._actions.append(Dial(self._number, channel, inode, to, family, waits, timeout))

    def connecting(self, inode: int, own: Address) -> None:
        """Note the address of a socket that doesn't wait."""
        number = self._by_inode.get(inode)
        if number is not None and self._connects[number].state in {State.DIALED, State.REACHED, State.FAILED}:
            self._actions.append(Join(number, plain(own)))

    def outcome(self, channel: int, inode: int) -> None:
        """Say how a socket's connect ended."""
        number = self._by_inode.get(inode)
        if number is None:
            self._actions.append(Answer(channel, LayerReply(LayerOutcome.LOCAL)))
            return
        connect = self._connects[number]
        # Of one that waits the kernel says more: it is connected to us before we see it.
        if connect.state is State.DIALED or (connect.state is State.REACHED and not connect.waits):
            self._fail(channel, PENDING)
        elif connect.state is State.FAILED:
            self._fail(channel, connect.errno)
        else:
            self._actions.append(Answer(channel, DONE))

    def describe(self, inode: int, own: Address, peer: Address) -> bytes | None:
        """Return a socket's addresses as the target sees them; None: it isn't known, or has none."""
        number = self._by_inode.get(inode)
        if number is None:
            return None
        connect = self._connects[number]
        if connect.local is None or connect.peer is None or connect.port != peer.port:
            return None
        return write_pair(own, connect.local, connect.peer)

    def describe_unix(self, inode: int) -> bytes:
        """Return the path or the abstract name that a Unix socket is connected to; empty: it isn't known."""
        number = self._by_inode.get(inode)
        return b"" if number is None else self._connects[number].path

    # ------------------------------------------------------------------------------------------ events

    def offered(self, number: int, port: int) -> None:
        """Note where a connect that doesn't wait is to go to here."""
        connect = self._connects.get(number)
        if connect is None or connect.channel is None:
            return
        self._set_port(connect, port)
        self._answer(connect, write_loopback(connect.family, port))

    def reached(
        self, number: int, local: Address | UnixAddress, peer: Address | UnixAddress, door: int | bytes | None
    ) -> None:
        """Note that the target is connected; one that waits is to go to `door`, a port or an abstract name."""
        connect = self._connects.get(number)
        if connect is None:
            return
        connect.state = State.REACHED
        if isinstance(local, Address) and isinstance(peer, Address):
            connect.local, connect.peer = local, peer
        if isinstance(door, int):
            self._set_port(connect, door)
            self._answer(connect, write_loopback(connect.family, door))
        elif door is not None:
            self._answer(connect, door)

    def unreached(self, number: int, errno: str) -> None:
        """Note why the target can't be reached, that it takes too long, or that nothing is left here to connect with."""
        connect = self._connects.get(number)
        if connect is None or connect.state not in {State.DIALED, State.REACHED}:
            return
        self._undecided -= 1
        connect.state, connect.errno = State.FAILED, errno
        if connect.channel is None:
            self._end(number)
        else:
            channel, connect.channel = connect.channel, None
            self._fail(channel, errno)
            self._forget(number)  # it has its answer

    def joined(self, number: int) -> None:
        """Note that a program's socket is connected to ours."""
        if (connect := self._connects.get(number)) is not None and connect.state is State.REACHED:
            self._undecided -= 1
            connect.state = State.CARRIED

    def ended(self, number: int) -> None:
        """Note that a connection is over."""
        connect = self._connects.get(number)
        if connect is None:
            return
        if connect.state is State.CARRIED:
            connect.state = State.ENDED
            self._end(number)
        elif connect.state is not State.FAILED:
            self.abandoned(number)

    def abandoned(self, number: int) -> None:
        """Note that nobody wants a connect any more."""
        connect = self._connects.get(number)
        if connect is None:
            return
        if connect.state in {State.DIALED, State.REACHED}:
            self._undecided -= 1
        self._forget(number)

    def lost(self) -> None:
        """Note that the agent is gone: nothing can be reached any more."""
        self._lost = True
        for number in [number for number, connect in self._connects.items() if connect.state is State.DIALED]:
            self.unreached(number, DOWN)

    # ------------------------------------------------------------------------------------------ remembering

    def _set_port(self, connect: _Connect, port: int) -> None:
        connect.port = port
        self._ports.add_relayed(port)
        self._ports.count_relay()

    def _end(self, number: int) -> None:
        self._over[number] = None
        while len(self._over) > MOST_OVER:
            self._forget(next(iter(self._over)))

    def _forget(self, number: int) -> None:
        connect = self._connects.pop(number)
        self._over.pop(number, None)
        if self._by_inode.get(connect.inode) == number:
            del self._by_inode[connect.inode]
        if connect.port:
            self._ports.remove_relayed(connect.port)

    def _answer(self, connect: _Connect, payload: bytes) -> None:
        assert connect.channel is not None
        channel, connect.channel = connect.channel, None
        self._actions.append(Answer(channel, LayerReply(LayerOutcome.DONE, payload=len(payload)), payload))

    def _fail(self, channel: int, errno: str) -> None:
        self._actions.append(Answer(channel, LayerReply(LayerOutcome.FAILED, errno=errno)))

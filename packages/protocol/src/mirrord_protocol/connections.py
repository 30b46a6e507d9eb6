"""What carries data both ways, as both ends use it: `Connection` (bytes) and `DatagramStream` (datagrams of a socket).

Sending never waits and never exceeds `room`; what comes is poured into a function by whoever reads. What may be said is
two_way.py's business; relay.py joins a connection to a socket. client and server.py make them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import trio

from mirrord_protocol.actions import Action, Closed, CreditReceived, DataReceived, Failed
from mirrord_protocol.agent_end import AgentEnd
from mirrord_protocol.driver import Driver
from mirrord_protocol.network_messages import LAYER_ADDRESS_SIZE, decode_layer_address, encode_layer_address
from mirrord_protocol.network_values import Address, UnixAddress
from mirrord_protocol.session_end import SessionEnd
from mirrord_protocol.two_way import TwoWay
from mirrord_protocol.values import Failure, FailureKind

RESET = Failure(FailureKind.SYSTEM, "ECONNRESET")
MUTE_ROOM = 64 << 10
"""Bytes that a connection takes at once of which nothing leaves."""
Sink = Callable[[Sequence[bytes | memoryview], bool], None]
DatagramSink = Callable[[Address, bytes | memoryview], None]
Chunk = bytes | memoryview
C = TypeVar("C", bound="Channel")


def own(data: bytes | memoryview) -> bytes | memoryview:
    """Return a chunk that keeps at most four times its size alive; for what stays longer than a moment."""
    if isinstance(data, memoryview) and len(data) * 4 < len(data.obj):  # type: ignore[arg-type] # bytes, by framing.py
        return bytes(data)
    return data


class Channel:
    """What both kinds share."""

    def __init__(self, carrier: Carrier, way: TwoWay) -> None:
        self.id = way.id
        self.failure: Failure | None = None
        """Why it ended badly: the other side's failure, this side's own, or the loss of the other side."""
        self._carrier = carrier
        self._way = way
        self._over = False
        self._over_event: trio.Event | None = None
        self._when_over: Callable[[], None] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come or go."""
        return self._over

    @property
    def given_up(self) -> bool:
        """Whether the id is over though this wasn't told; for the carrier alone."""
        return self._way.over

    async def wait_over(self) -> None:
        """Return when it is over."""
        if not self._over:
            if self._over_event is None:
                self._over_event = trio.Event()
            await self._over_event.wait()
        else:
            await trio.lowlevel.checkpoint()

    def when_over(self, tell: Callable[[], None]) -> None:
        """Have a function called, which must not wait, once it is over; at once if it is."""
        if self._over:
            tell()
        else:
            self._when_over = tell

    def end(self, failure: Failure | None) -> None:
        """Note that it is over; for the carrier alone."""
        if self._over:
            return
        self._over, self.failure = True, failure
        self._carrier.forget(self.id)
        if self._over_event is not None:
            self._over_event.set()
        if self._when_over is not None:
            tell, self._when_over = self._when_over, None
            tell()

    def take(self, data: Chunk, *, end: bool) -> None:
        """Take what came; for the carrier alone."""
        raise NotImplementedError

    def deliver(self) -> None:
        """Hand on what came; for the carrier alone."""
        raise NotImplementedError


class Connection(Channel):
    """A connection of bytes, from the target's network or to it.

    `over` when both directions have ended, or with `failure`. Without a sink what comes is kept, within the window.
    """

    def __init__(
        self, carrier: Carrier, way: TwoWay, local: Address | UnixAddress, peer: Address | UnixAddress
    ) -> None:
        super().__init__(carrier, way)
        self.local = local
        """Of the agent's socket, or where it came to on the target."""
        self.peer = peer
        self.mute = way.sent_end
        """Whether this side sends nothing: a mirrored connection. `send` takes and drops."""
        self._chunks: list[Chunk] = []
        self._came_end = False
        self._sink: Sink | None = None

    def room(self) -> int:
        """Return how many bytes `send` takes now; 0 when it is over."""
        if self.mute:
            return MUTE_ROOM
        return 0 if self._over else self._carrier.two_ways.room(self._way)

    def send(self, data: Chunk, *, end: bool = False) -> None:
        """Send at most `room` bytes, which must not be changed afterwards; never waits.

        `end` ends this direction. Does nothing when it is over; raises LocalProtocolError for more than there is room.
        """
        if self._over or self.mute:
            return
        was_the_end = self._carrier.two_ways.send(self._way, data, end=end)
        self._carrier.driver.push()
        if was_the_end:
            self.end(None)

    async def wait_for_room(self) -> None:
        """Return when `room` may have grown, or it is over."""
        if self._over or self.mute:
            await trio.lowlevel.checkpoint()
        else:
            await self._carrier.senders.wait(self.id)

    def pour_into(self, sink: Sink) -> None:
        """Have what comes handed to `sink(chunks, end)` by whoever reads, which must not wait.

        Chunks come as they came, all of a moment at once; `end` with the last ones, once. Bytes count as waiting until
        `took`. A failure isn't told to the sink but by `when_over`, after all that came before it.
        """
        self._sink = sink
        self.deliver()

    def took(self, size: int) -> None:
        """Note that so many bytes of what the sink got are done with: grants credit."""
        self._carrier.took(self._way, size)

    def reset(self, failure: Failure = RESET) -> None:
        """End it badly. What was sent before still leaves. Does nothing when it is over."""
        if not self._over:
            self._carrier.two_ways.fail(self._way, failure)
            self._carrier.driver.wake()
            self.end(failure)

    def take(self, data: Chunk, *, end: bool) -> None:
        """Take what came; for the carrier alone."""
        if data:
            self._chunks.append(data if self._sink is not None else own(data))
        self._came_end |= end

    def deliver(self) -> None:
        """Hand on what came; for the carrier alone."""
        if self._sink is None or not (self._chunks or self._came_end):
            return
        chunks, self._chunks = self._chunks, []
        end, self._came_end = self._came_end, False
        self._sink(chunks, end)


class DatagramStream(Channel):
    """The datagrams of one UDP socket in the target's network. It is lossy, as the network is."""

    def __init__(self, carrier: Carrier, way: TwoWay, local: Address, peer: Address) -> None:
        super().__init__(carrier, way)
        self.local = local
        """Of the agent's socket."""
        self.peer = peer
        """Of a connected socket, else NOWHERE."""
        self._came: list[Chunk] = []
        self._sink: DatagramSink | None = None

    def send(self, address: Address, data: Chunk) -> bool:
        """Send a datagram to an address (or from it, on the agent's side); False if it was dropped for want of credit.

        Raises LocalProtocolError for one that is larger than a frame.
        """
        two_ways = self._carrier.two_ways
        if self._over or two_ways.room(self._way) < LAYER_ADDRESS_SIZE + len(data):
            return False
        two_ways.send(self._way, encode_layer_address(address) + data)
        self._carrier.driver.push()
        return True

    def pour_into(self, sink: DatagramSink) -> None:
        """Have what comes handed to `sink(address, data)` by whoever reads, which must not wait."""
        self._sink = sink
        self.deliver()

    def close(self, failure: Failure = RESET) -> None:
        """End it; the agent's side tells the failure."""
        if not self._over:
            self._carrier.give_up(self._way, failure)
            self.end(None)

    def take(self, data: Chunk, *, end: bool) -> None:
        """Take what came; for the carrier alone."""
        del end
        self._came.append(data if self._sink is not None else own(data))

    def deliver(self) -> None:
        """Hand on what came; for the carrier alone."""
        if self._sink is None:
            return
        came, self._came = self._came, []
        for data in came:
            address = decode_layer_address(data)
            self._carrier.took(self._way, len(data))
            self._sink(address, memoryview(data)[LAYER_ADDRESS_SIZE:])


class Senders:
    """Tasks of one end that wait until they may send: for their id's credit or room, or for the room that all share.

    At most one waits for an id.
    """

    def __init__(self, end: SessionEnd | AgentEnd, wake_writer: Callable[[], None]) -> None:
        self._end = end
        self._wake_writer = wake_writer
        self._own: dict[int, trio.Event] = {}
        self._shared: dict[int, trio.Event] = {}

    async def wait(self, id_: int) -> None:
        """Return when there may be more to send for an id, or it may be over."""
        # Thousands may be out of credit; they aren't looked at whenever there is room again.
        waiting = self._own if self._end.lanes.room(id_) else self._shared
        event = waiting[id_] = trio.Event()
        self._wake_writer()
        try:
            await event.wait()
        finally:
            if waiting.get(id_) is event:
                del waiting[id_]

    def wake(self, id_: int) -> None:
        """Let an id's task look again."""
        for waiting in (self._own, self._shared):
            if (event := waiting.pop(id_, None)) is not None:
                event.set()

    def wake_all(self) -> None:
        """Let all look again: the connection is over."""
        for waiting in (self._own, self._shared):
            for event in waiting.values():
                event.set()
            waiting.clear()

    def drained(self, ids: set[int]) -> None:
        """Note that frames of these ids have left, or were dropped."""
        if not self._own and not self._shared:
            return
        for id_ in ids:
            self.wake(id_)
        if self._shared:
            # Who is woken may have nothing to send: when nothing waits any more, nobody else would wake the others.
            most = self._end.lanes.room_for_frames if self._end.lanes.queued else len(self._shared)
            for id_ in list(self._shared)[:most]:
                self.wake(id_)


class Carrier:
    """The connections of one end, and what they need of it."""

    def __init__(self, end: SessionEnd | AgentEnd, driver: Driver) -> None:
        self.two_ways = end.two_ways
        self.driver = driver
        self.senders = Senders(end, driver.wake)
        self._end = end
        self._channels: dict[int, Channel] = {}
        self._came: dict[int, Channel] = {}  # those for which something came just now

    def connection(self, id_: int, local: Address | UnixAddress, peer: Address | UnixAddress) -> Connection:
        """Return a new Connection for an id that was just opened; one that is over if it was closed meanwhile."""
        way = self.two_ways.claim(id_)
        return self._keep(Connection(self, way or TwoWay.ended(id_), local, peer), way)

    def datagrams(self, id_: int, local: Address, peer: Address) -> DatagramStream:
        """Return a new DatagramStream, likewise."""
        way = self.two_ways.claim(id_)
        return self._keep(DatagramStream(self, way or TwoWay.ended(id_), local, peer), way)

    def _keep(self, channel: C, way: TwoWay | None) -> C:
        # The id may be over already, by what came in the same moment: the actions that tell so are still to come.
        self._channels[channel.id] = channel
        if way is None:
            channel.end(RESET)
        return channel

    def look_after(self, id_: int) -> None:
        """End what the agent's side has given up by its request."""
        channel = self._channels.get(id_)
        if channel is not None and channel.given_up:
            channel.end(RESET)

    def forget(self, id_: int) -> None:
        """Drop an id that is over; its task looks again."""
        self._channels.pop(id_, None)
        self.senders.wake(id_)

    def took(self, way: TwoWay, size: int) -> None:
        """Grant credit for bytes that are done with."""
        if self.two_ways.took(way, size, trio.current_time()):
            self.driver.wake()

    def give_up(self, way: TwoWay, failure: Failure) -> None:
        """End an id: the session closes it, the agent tells a failure."""
        if isinstance(self._end, SessionEnd):
            self.two_ways.close(way)
        else:
            self.two_ways.fail(way, failure)
        self.driver.wake()

    # ------------------------------------------------------------------------------------------ for the reader

    def act(self, action: Action) -> bool:
        """Carry out an action if it is about one of these; tell whether it was."""
        if type(action) is DataReceived:
            channel = self._channels.get(action.id)
            if channel is None:
                return False
            channel.take(action.data, end=action.end)
            self._came[action.id] = channel
            if action.last:
                self._came.pop(action.id).deliver()
                channel.end(None)
            return True
        match action:
            case CreditReceived(id_):
                self.senders.wake(id_)
                return True
            case Failed(id_, failure):
                return self._finish(id_, failure)
            case Closed(id_):
                self.senders.wake(id_)
                return self._finish(id_, RESET)
        return False

    def _finish(self, id_: int, failure: Failure) -> bool:
        channel = self._channels.get(id_)
        if channel is None:
            return False
        self._came.pop(id_, None)
        channel.deliver()
        channel.end(failure)
        return True

    def settle(self) -> None:
        """Hand on what came since the last time."""
        while self._came:
            self._came.popitem()[1].deliver()

    def lose(self, failure: Failure) -> None:
        """End all: the connection to the other side is over."""
        self.settle()
        for channel in list(self._channels.values()):
            channel.end(failure)
        self.senders.wake_all()

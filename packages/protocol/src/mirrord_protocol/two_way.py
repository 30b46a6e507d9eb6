"""Ids that carry data both ways: connections and sockets of datagrams, the same on both ends. No I/O.

One record for each, from its answer (or `incoming`) until both directions have ended or either side gave it up.
session_end.py and agent_end.py open them; how much may come is windows.py's; connections.py puts them to use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mirrord_protocol.failure import LocalProtocolError, RemoteProtocolError
from mirrord_protocol.framing import DATA_LIMIT, Frame
from mirrord_protocol.lanes import Lanes
from mirrord_protocol.network_messages import LAYER_ADDRESS_SIZE, decode_layer_address
from mirrord_protocol.values import Close, Credit, Failure, Message
from mirrord_protocol.windows import MOST_IDS, Windows

BY_AGENT = 1 << 63
"""The bit of the ids that the agent chooses."""
MOST_CREDIT = 1 << 62


class Say(Protocol):
    """Queues a message, unless nothing may be said any more."""

    def __call__(self, id_: int, message: Message, *, bulk: bool = False) -> None: ...


class TwoWay:
    """The record of a two-way id. Numbers are bytes since its beginning."""

    __slots__ = (
        "allowed", "came", "came_end", "datagrams", "granted", "id", "marked", "marked_at", "over", "sent",
        "sent_end", "taken", "threshold", "window",
    )  # fmt: skip

    def __init__(self, id_: int, *, allowed: int, granted: int, window: int, datagrams: bool, now: float) -> None:
        self.id = id_
        self.datagrams = datagrams
        self.allowed = allowed  # by the other side: what may be sent
        self.sent = 0
        self.sent_end = False
        self.granted = granted  # to the other side: what may come
        self.came = 0
        self.came_end = False
        self.taken = 0  # of what came, by the consumer
        self.window = window
        self.threshold = min(granted, window) // 2  # with no more than this left, more is granted
        self.marked = 0  # `taken` at the last grant
        self.marked_at = now
        self.over = False

    @classmethod
    def ended(cls, id_: int) -> TwoWay:
        """Return the record of an id that is over already."""
        way = cls(id_, allowed=0, granted=0, window=0, datagrams=False, now=0.0)
        way.over = True
        return way


class TwoWays:
    """All two-way ids of one end.

    Args:
        lanes: What is sent goes here.
        say: Queues a message.
        windows: The budget, which may be shared.
    """

    def __init__(self, lanes: Lanes, say: Say, windows: Windows | None = None) -> None:
        self.windows = windows or Windows()
        self._lanes = lanes
        self._say = say
        self._open: dict[int, TwoWay] = {}
        self._unclaimed: dict[int, TwoWay] = {}
        self.find: Callable[[int], TwoWay | None] = self._open.get
        """Return the record of an id that is open."""

    def __len__(self) -> int:
        return len(self._open)

    @property
    def full(self) -> bool:
        """Whether no more may be opened."""
        return len(self._open) >= MOST_IDS

    def open(
        self, id_: int, *, allowed: int, granted: int, window: int, datagrams: bool = False, now: float = 0.0
    ) -> TwoWay:
        """Begin an id; its window, from `windows.open`, is given back at its end."""
        way = TwoWay(id_, allowed=allowed, granted=granted, window=window, datagrams=datagrams, now=now)
        self._open[id_] = self._unclaimed[id_] = way
        return way

    def claim(self, id_: int) -> TwoWay | None:
        """Return the record of an id that was opened, once, even if it is over by now."""
        return self._unclaimed.pop(id_, None)

    def _end(self, way: TwoWay) -> None:
        way.over = True
        del self._open[way.id]
        self.windows.close(way.window)

    # ------------------------------------------------------------------------------------------ sending

    def room(self, way: TwoWay) -> int:
        """Return how many bytes `send` takes now."""
        if way.over or way.sent_end:
            return 0
        left = way.allowed - way.sent
        return min(left, self._lanes.room(way.id)) if left > 0 else 0

    def send(self, way: TwoWay, data: bytes | memoryview, *, end: bool = False) -> bool:
        """Queue data, within the credit, which must not be changed afterwards; tell whether this was the id's end.

        Does nothing for an id that is over.
        """
        if way.over or not (data or end):
            return False
        way.sent += len(data)
        if way.sent_end or way.sent > way.allowed:
            raise LocalProtocolError(f"id {way.id:#x}: data after its end, or beyond the credit of {way.allowed}")
        if len(data) <= DATA_LIMIT:
            self._lanes.put_data(way.id, data, end=end)
        else:
            self._lanes.put_stream(way.id, data, end=end)
        if end:
            self.end_sending(way)
        return way.over

    def end_sending(self, way: TwoWay) -> None:
        """Note that nothing will be sent any more, without a word: of a connection that only comes."""
        way.sent_end = True
        if way.came_end:
            self._end(way)

    def fail(self, way: TwoWay, failure: Failure) -> None:
        """End an id badly, behind what was sent."""
        if not way.over:
            self._end(way)
            self._say(way.id, failure, bulk=True)

    def close(self, way: TwoWay) -> None:
        """Forget an id at once; for the session alone."""
        if not way.over:
            self._end(way)
            self._unclaimed.pop(way.id, None)
            self._lanes.drop(way.id)
            self._say(way.id, Close())

    # ------------------------------------------------------------------------------------------ receiving

    def take_data(self, way: TwoWay, frame: Frame) -> None:
        """Check a data frame of an open id, and count it; raises RemoteProtocolError."""
        size = len(frame.payload)
        if way.came_end:
            raise RemoteProtocolError(f"id {way.id:#x}: data after its end")
        way.came += size
        if way.came > way.granted:
            raise RemoteProtocolError(f"id {way.id:#x}: {way.came} bytes, where {way.granted} were granted")
        if way.datagrams:
            if frame.end or size < LAYER_ADDRESS_SIZE:
                raise RemoteProtocolError(f"id {way.id:#x}: a datagram of {size} bytes, or one that ends the id")
            decode_layer_address(frame.payload)
        elif frame.end:
            self.end_coming(way)

    def end_coming(self, way: TwoWay) -> None:
        """Note that nothing will come any more."""
        way.came_end = True
        if way.sent_end:
            self._end(way)

    def take_credit(self, way: TwoWay, amount: int) -> None:
        """Count what the other side grants; raises RemoteProtocolError."""
        way.allowed += amount
        if way.allowed > MOST_CREDIT:
            raise RemoteProtocolError(f"id {way.id:#x}: more credit than any stream is long")

    def take_end(self, way: TwoWay) -> None:
        """Note that the other side has given an id up: what still waits for it is dropped."""
        self._end(way)
        self._lanes.drop(way.id)

    def took(self, way: TwoWay, size: int, now: float) -> bool:
        """Note that the consumer has done with bytes that came; tell whether more was granted therefore."""
        way.taken += size
        if way.over or way.came_end or way.granted - way.taken > way.threshold:
            return False
        round_trip = self._lanes.pace.round_trip
        way.window = self.windows.resized(way.window, way.taken - way.marked, now - way.marked_at, round_trip)
        way.marked, way.marked_at, way.threshold = way.taken, now, way.window // 2
        more = way.taken + way.window - way.granted
        if more <= 0:
            return False
        way.granted += more
        self._say(way.id, Credit(more))
        return True

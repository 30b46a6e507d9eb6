"""What waits to be sent, and which of it goes next: control before bulk, bulk streams in turn, as far as pace.py lets.

A stream that has little to send, a request or an answer, doesn't wait for its turn behind those that have much.
Numbers are given when a frame leaves, so they follow the order of sending. What may be said at all is decided in
connection.py, session_end.py, agent_end.py and two_way.py; nothing here reads a message.
"""

from __future__ import annotations

from collections import deque

from mirrord_protocol.failure import LocalProtocolError
from mirrord_protocol.framing import DATA_LIMIT, MESSAGE_LIMIT, Kind, Lane, encode
from mirrord_protocol.pace import Pace

QUEUE = 256 << 10
"""Bytes of one stream that may wait to be sent; a sender of more is held up."""
QUEUES = 4 << 20
"""Bytes of all streams that may wait."""
BATCH = 256 << 10
"""Bytes after which a batch for one write takes no further bulk frame."""
SMALL = 4 << 10
"""Bytes up to which a stream's only frame goes before others' turns."""
SPARE = 64 << 10
"""Bytes that small frames may be on their way beyond the pace, so that bulk doesn't hold them up."""

_MESSAGE, _DATA = int(Kind.MESSAGE), int(Kind.DATA)
_CONTROL, _BULK = int(Lane.CONTROL), int(Lane.BULK)
Waiting = tuple[int, bytes | memoryview, bool]
"""Of a frame in the bulk lane: kind, payload, whether it is the end."""


class Lanes:
    """The outgoing half of a connection."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.number = 0
        """Of the frame that left last."""
        self.sent_bytes = 0
        self.control_bytes = 0
        """Of messages in the control lane that wait to be sent."""
        self._control: deque[tuple[int, bytes]] = deque()
        self._small: deque[tuple[int, Waiting]] = deque()  # of streams that have nothing else waiting
        self._bulk: dict[int, deque[Waiting]] = {}
        self._queued: dict[int, int] = {}  # bytes of each stream of which anything waits
        self._queued_bytes = 0
        self._turns: deque[int] = deque()
        self._drained: set[int] = set()

    def put_control(self, id_: int, message: bytes) -> None:
        """Queue an encoded message in the control lane."""
        if len(message) > MESSAGE_LIMIT:
            raise LocalProtocolError(f"a message of {len(message)} bytes, where {MESSAGE_LIMIT} are allowed")
        self._control.append((id_, message))
        self.control_bytes += len(message)

    def put_bulk_message(self, id_: int, message: bytes) -> None:
        """Queue an encoded message behind the data of its stream."""
        self._put_bulk(id_, (_MESSAGE, message, False))

    def put_data(self, id_: int, data: bytes | memoryview, *, end: bool) -> None:
        """Queue a data frame; at most DATA_LIMIT bytes, which must not be changed afterwards."""
        if len(data) > DATA_LIMIT:
            raise LocalProtocolError(f"a data frame of {len(data)} bytes, where {DATA_LIMIT} are allowed")
        self._put_bulk(id_, (_DATA, data, end))

    def put_stream(self, id_: int, data: bytes | memoryview, *, end: bool) -> None:
        """Queue data of any length, the last frame of it marked if it is the end."""
        if len(data) > DATA_LIMIT:
            view, at = memoryview(data), 0
            while len(view) - at > DATA_LIMIT:
                self.put_data(id_, view[at : at + DATA_LIMIT], end=False)
                at += DATA_LIMIT
            data = view[at:]
        if data or end:
            self.put_data(id_, data, end=end)

    def _put_bulk(self, id_: int, waiting: Waiting) -> None:
        size = len(waiting[1])
        self._queued_bytes += size
        if id_ not in self._queued and size <= SMALL:
            self._queued[id_] = size
            self._small.append((id_, waiting))
            return
        self._queued[id_] = self._queued.get(id_, 0) + size
        if id_ not in self._bulk:
            self._bulk[id_] = deque()
            self._turns.append(id_)
        self._bulk[id_].append(waiting)

    def room(self, id_: int) -> int:
        """Return how many bytes of a stream may join those that wait."""
        return max(0, min(QUEUE - self._queued.get(id_, 0), QUEUES - self._queued_bytes))

    @property
    def room_for_frames(self) -> int:
        """How many full data frames may join those that wait."""
        return max(0, QUEUES - self._queued_bytes) // DATA_LIMIT

    @property
    def queued(self) -> bool:
        """Whether any bulk frame waits."""
        return bool(self._queued_bytes)

    def drop(self, id_: int) -> None:
        """Forget the bulk frames of an id: there is room for others'."""
        size = self._queued.pop(id_, None)
        if size is None:
            return
        self._queued_bytes -= size
        self._drained.add(id_)
        if self._bulk.pop(id_, None) is not None:
            self._turns.remove(id_)
        for waiting in self._small:
            if waiting[0] == id_:
                self._small.remove(waiting)
                break

    def clear(self) -> None:
        """Forget whatever waits."""
        self._control.clear()
        self.control_bytes = 0
        self._small.clear()
        self._bulk.clear()
        self._queued.clear()
        self._queued_bytes = 0
        self._turns.clear()

    def take_drained(self) -> set[int]:
        """Return the ids of which bulk frames left, or were dropped, since the last call: there is room again."""
        drained, self._drained = self._drained, set()
        return drained

    @property
    def waiting(self) -> bool:
        """Whether a frame could leave now."""
        if self._control:
            return True
        if self._small:
            return self.pace.allows(len(self._small[0][1][1]), SPARE)
        return bool(self._turns) and self.pace.allows(len(self._bulk[self._turns[0]][0][1]))

    def pull(self, acknowledged: int, now: float) -> list[bytes | memoryview]:
        """Return the pieces of the frames to write next: all control frames, then bulk up to about BATCH bytes."""
        pieces: list[bytes | memoryview] = []
        self.control_bytes = 0
        while self._control:
            id_, message = self._control.popleft()
            self._add(pieces, _CONTROL, acknowledged, id_, (_MESSAGE, message, False))
        size = self._pull_small(pieces, acknowledged, now) if self._small else 0
        if self._small:
            return pieces
        while self._turns and size < BATCH:
            id_ = self._turns[0]
            queue = self._bulk[id_]
            if not self.pace.allows(len(queue[0][1])):
                return pieces
            waiting = queue.popleft()
            length = len(waiting[1])
            size += length
            self._add(pieces, _BULK, acknowledged, id_, waiting)
            self.pace.sent(self.number, length, now)
            self._drained.add(id_)
            self._queued_bytes -= length
            if queue:
                self._queued[id_] -= length
                self._turns.rotate(-1)
            else:
                self._turns.popleft()
                del self._bulk[id_], self._queued[id_]
        if not self._turns:
            self.pace.starve()
        return pieces

    def _pull_small(self, pieces: list[bytes | memoryview], acknowledged: int, now: float) -> int:
        """Add the frames of streams that have little to send; return how many bytes they are."""
        size = 0
        while self._small and size < BATCH:
            id_, waiting = self._small[0]
            length = len(waiting[1])
            if not self.pace.allows(size + length, SPARE):
                break
            self._small.popleft()
            size += length
            self._add(pieces, _BULK, acknowledged, id_, waiting)
            self._drained.add(id_)
            queued = self._queued[id_] - length
            if queued or id_ in self._bulk:
                self._queued[id_] = queued
            else:
                del self._queued[id_]
        if size:
            self.pace.sent(self.number, size, now)
        self._queued_bytes -= size
        return size

    def _add(self, pieces: list[bytes | memoryview], lane: int, acknowledged: int, id_: int, waiting: Waiting) -> None:
        self.number += 1
        kind, payload, end = waiting
        self.sent_bytes += encode(pieces, kind, lane, self.number, acknowledged, id_, payload, end)

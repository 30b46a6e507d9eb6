"""What waits to be sent, and which of it goes next: control before bulk, bulk streams in turn, as far as pace.py lets.

Numbers are given when a frame leaves, so they follow the order of sending. What may be said at all is decided in
connection.py and session_end.py and agent_end.py; nothing here reads a message.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mirrord_protocol.failure import LocalProtocolError
from mirrord_protocol.framing import DATA_LIMIT, MESSAGE_LIMIT, Frame, Kind, Lane, encode_frame
from mirrord_protocol.pace import Pace

QUEUE = 256 << 10
"""Bytes of one stream that may wait to be sent; a sender of more is held up."""
QUEUES = 4 << 20
"""Bytes of all streams that may wait."""
BATCH = 256 << 10
"""Bytes after which a batch for one write takes no further bulk frame."""


@dataclass(slots=True)
class _Waiting:
    kind: Kind
    payload: bytes | memoryview
    end: bool


class Lanes:
    """The outgoing half of a connection."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.number = 0
        """Of the frame that left last."""
        self.sent_bytes = 0
        self._control: deque[tuple[int, bytes]] = deque()
        self._bulk: dict[int, deque[_Waiting]] = {}
        self._queued: dict[int, int] = {}
        self._queued_bytes = 0
        self._turns: deque[int] = deque()
        self._drained: set[int] = set()

    def put_control(self, id_: int, message: bytes) -> None:
        """Queue an encoded message in the control lane."""
        if len(message) > MESSAGE_LIMIT:
            raise LocalProtocolError(f"a message of {len(message)} bytes, where {MESSAGE_LIMIT} are allowed")
        self._control.append((id_, message))

    def put_bulk_message(self, id_: int, message: bytes) -> None:
        """Queue an encoded message behind the data of its stream."""
        self._put_bulk(id_, _Waiting(Kind.MESSAGE, message, end=False))

    def put_data(self, id_: int, data: bytes | memoryview, *, end: bool) -> None:
        """Queue a data frame; at most DATA_LIMIT bytes, which must not be changed afterwards."""
        if len(data) > DATA_LIMIT:
            raise LocalProtocolError(f"a data frame of {len(data)} bytes, where {DATA_LIMIT} are allowed")
        self._put_bulk(id_, _Waiting(Kind.DATA, data, end))

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

    def _put_bulk(self, id_: int, waiting: _Waiting) -> None:
        if id_ not in self._bulk:
            self._bulk[id_] = deque()
            self._turns.append(id_)
        self._bulk[id_].append(waiting)
        self._queued[id_] = self._queued.get(id_, 0) + len(waiting.payload)
        self._queued_bytes += len(waiting.payload)

    def room(self, id_: int) -> int:
        """Return how many bytes of a stream may join those that wait."""
        return max(0, min(QUEUE - self._queued.get(id_, 0), QUEUES - self._queued_bytes))

    @property
    def room_for_frames(self) -> int:
        """How many full data frames may join those that wait."""
        return max(0, QUEUES - self._queued_bytes) // DATA_LIMIT

    def drop(self, id_: int) -> None:
        """Forget the bulk frames of an id."""
        if self._bulk.pop(id_, None) is not None:
            self._queued_bytes -= self._queued.pop(id_)
            self._turns.remove(id_)

    def clear(self) -> None:
        """Forget whatever waits."""
        self._control.clear()
        self._bulk.clear()
        self._queued.clear()
        self._queued_bytes = 0
        self._turns.clear()

    def take_drained(self) -> set[int]:
        """Return the ids of which bulk frames left since the last call: there is room again."""
        drained, self._drained = self._drained, set()
        return drained

    @property
    def waiting(self) -> bool:
        """Whether a frame could leave now."""
        return bool(self._control or (self._turns and self._may_send(self._bulk[self._turns[0]][0])))

    def _may_send(self, waiting: _Waiting) -> bool:
        return self.pace.allows(len(waiting.payload))

    def pull(self, acknowledged: int, now: float) -> list[bytes | memoryview]:
        """Return the pieces of the frames to write next: all control frames, then bulk up to about BATCH bytes."""
        pieces: list[bytes | memoryview] = []
        while self._control:
            id_, message = self._control.popleft()
            self._add(pieces, Kind.MESSAGE, Lane.CONTROL, acknowledged, id_, message)
        size = 0
        while self._turns and size < BATCH:
            id_ = self._turns[0]
            queue = self._bulk[id_]
            if not self._may_send(queue[0]):
                return pieces
            waiting = queue.popleft()
            size += len(waiting.payload)
            self._add(pieces, waiting.kind, Lane.BULK, acknowledged, id_, waiting.payload, end=waiting.end)
            self.pace.sent(self.number, len(waiting.payload), now)
            self._drained.add(id_)
            self._queued[id_] -= len(waiting.payload)
            self._queued_bytes -= len(waiting.payload)
            if queue:
                self._turns.rotate(-1)
            else:
                self._turns.popleft()
                del self._bulk[id_], self._queued[id_]
        if not self._turns:
            self.pace.starve()
        return pieces

    def _add(
        self,
        pieces: list[bytes | memoryview],
        kind: Kind,
        lane: Lane,
        acknowledged: int,
        id_: int,
        payload: bytes | memoryview,
        *,
        end: bool = False,
    ) -> None:
        self.number += 1
        frame = Frame(kind, lane, self.number, acknowledged, id_, payload, end)
        self.sent_bytes += frame.size
        pieces += encode_frame(frame)

"""The copy of what a client says, on its way to the session: how far it may be ahead. No I/O.

driver.py feeds it with what it carries to the target. It never makes that wait: what the session doesn't take in time
ends the copy.
"""

from __future__ import annotations

from typing import Protocol

from mirrord_protocol.values import Failure, FailureKind

AHEAD = 1 << 18
"""Bytes that wait for the session at most."""
TOO_SLOW = Failure(
    FailureKind.LIMIT,
    None,
    f"the copy of this connection ended: more than {AHEAD >> 10} KiB of it waited for the session",
)


class Sink(Protocol):
    """The session's end of the copy: what is used of the protocol's `Connection`."""

    def room(self) -> int:
        """Return how many bytes `send` takes now."""

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Send at most `room` bytes."""

    def reset(self, failure: Failure = ...) -> None:
        """End it badly."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""


class Copy:
    """What a client said, in order, for one session."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._waiting = bytearray()
        self._ended = False
        self.dropped = False
        """Whether it ended because the session was too slow."""

    @property
    def waiting(self) -> bool:
        """Whether `flush` has something to do when there is room."""
        return bool(self._waiting) and not self._sink.over

    def put(self, data: bytes) -> None:
        """Add what the client said. Never waits."""
        if self._sink.over:
            return
        if not self._waiting:
            room = self._sink.room()
            if room >= len(data):
                self._sink.send(data)
                return
            if room:
                self._sink.send(data[:room])
                data = data[room:]
        self._waiting += data
        if len(self._waiting) > AHEAD:
            self.dropped = True
            self._waiting.clear()
            self._sink.reset(TOO_SLOW)

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        if room := min(self._sink.room(), len(self._waiting)):
            data = bytes(self._waiting[:room])
            del self._waiting[:room]
            self._sink.send(data, end=self._ended and not self._waiting)

    def end(self) -> None:
        """Note that the client has said all: the copy ends well, behind what waits."""
        self._ended = True
        if not self._waiting and not self._sink.over:
            self._sink.send(b"", end=True)

    def cut(self) -> None:
        """Note that the connection broke: the copy ends as badly."""
        if not self._ended:
            self._waiting.clear()
            if not self._sink.over:
                self._sink.reset()

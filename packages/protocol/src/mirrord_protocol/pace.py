"""How many bulk bytes may be on their way: about what the connection holds by itself, its bandwidth-delay product.

Bytes that have left can't be overtaken, so what is sent beyond that only lengthens the queue before control frames.
Measured from acknowledgements alone, in the manner of BBR (draft-cardwell-iccrg-bbr-congestion-control): the best
recent rate of delivery times the least recent round trip. lanes.py asks; nothing here knows a frame's content.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

FLOOR = 256 << 10
"""Bytes that may always be on their way."""
CEILING = 16 << 20
"""Bytes that are never exceeded: the other side holds no more than this in one connection's buffers."""
GAIN_GROWING = 2.0
GAIN_STEADY = 1.25
"""Above 1, so that a better rate shows; what is above waits in buffers."""
SLACK = 0.001
"""Seconds that processes need to get their turn, beyond the round trip of a quiet moment."""
GROWTH = 1.25
ROUNDS_WITHOUT_GROWTH = 3
RATE_AGE = 10.0
ROUND_TRIP_AGE = 10.0
"""Seconds after which a measurement is made anew."""


@dataclass(slots=True)
class _Sent:
    number: int
    size: int
    at: float
    delivered: int  # bytes delivered when it was sent
    delivered_at: float  # and when the last of them was
    starved: bool  # there was less to send than was allowed: its rate says little
    alone: bool  # little else was on its way: its round trip says much


class Pace:
    """Tells how much may be sent. Numbers are those of frames, times are in seconds of any steady clock."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.round_trip: float | None = None
        """The least recent one, in seconds; None before the first acknowledgement of bulk."""
        self.rate = 0.0
        """Bytes a second: the best recent one."""
        self._sent: deque[_Sent] = deque()
        self._delivered = 0
        self._delivered_at = 0.0
        self._round_trip_at = 0.0
        self._rate_at = 0.0
        self._round_ends = 0
        self._full_rate = 0.0
        self._full_rounds = 0
        self._probing = False
        self._starved = True

    @property
    def limit(self) -> int:
        """Bytes that may be on their way at once."""
        if self._probing or self.round_trip is None:
            return FLOOR
        gain = GAIN_STEADY if self._full_rounds >= ROUNDS_WITHOUT_GROWTH else GAIN_GROWING
        return min(CEILING, max(FLOOR, int(gain * self.rate * (self.round_trip + SLACK))))

    def allows(self, size: int, spare: int = 0) -> bool:
        """Tell whether so many bytes may leave now, with `spare` bytes beyond the limit."""
        after = self.in_flight + size
        # The limit is worked out only where it could matter: this is asked for every frame.
        return after <= FLOOR or not self.in_flight or after <= self.limit + spare

    def starve(self) -> None:
        """Note that there was nothing more to send, though more was allowed."""
        self._starved = True

    def sent(self, number: int, size: int, now: float) -> None:
        """Note that a bulk frame leaves."""
        if not self.in_flight:
            self._delivered_at = now  # the time before was idle, not slow
        self.in_flight += size
        if self.round_trip is not None and now - self._round_trip_at > ROUND_TRIP_AGE:
            self._probing = True
        alone = self.in_flight <= FLOOR
        self._sent.append(_Sent(number, size, now, self._delivered, self._delivered_at, self._starved, alone))
        self._starved = False

    def acknowledged(self, number: int, now: float) -> None:
        """Note that everything up to the frame `number` has arrived."""
        newest = None
        while self._sent and self._sent[0].number <= number:
            newest = self._sent.popleft()
            self.in_flight -= newest.size
            self._delivered += newest.size
        if newest is None:
            return
        self._delivered_at = now
        self._measure_round_trip(newest, now)
        self._measure_rate(newest, now)
        if newest.number >= self._round_ends:
            self._end_round(newest)

    def _measure_round_trip(self, newest: _Sent, now: float) -> None:
        sample = now - newest.at
        least = self.round_trip
        if least is None or sample <= least or (self._probing and newest.alone):
            self.round_trip, self._round_trip_at, self._probing = sample, now, False

    def _measure_rate(self, newest: _Sent, now: float) -> None:
        took = now - newest.delivered_at
        if took <= 0:
            return
        sample = (self._delivered - newest.delivered) / took
        if sample >= self.rate or (not newest.starved and now - self._rate_at > RATE_AGE):
            self.rate, self._rate_at = sample, now

    def _end_round(self, newest: _Sent) -> None:
        self._round_ends = self._sent[-1].number if self._sent else newest.number + 1
        if self.rate >= self._full_rate * GROWTH:
            self._full_rate, self._full_rounds = self.rate, 0
        elif not newest.starved:
            self._full_rounds += 1

"""How much bulk is on its way: a simulated connection of known rate and delay, told by acknowledgements alone."""

from __future__ import annotations

import heapq

import pytest

from mirrord_protocol.pace import CEILING, FLOOR, Pace

FRAME = 64 << 10


class Link:
    """A pipe of `rate` bytes a second with `delay` seconds each way, and a queue before it that never overflows."""

    def __init__(self, rate: float, delay: float) -> None:
        self.pace = Pace()
        self.rate, self.delay = rate, delay
        self.now = self.free_at = 0.0
        self.number = self.arrived = self.most_queued = 0
        self.acks: list[tuple[float, int]] = []

    def run(self, seconds: float, *, idle: bool = False) -> None:
        end = self.now + seconds
        while self.now < end:
            while not idle and self.pace.allows(FRAME):
                self.number += 1
                self.pace.sent(self.number, FRAME, self.now)
                self.free_at = max(self.now, self.free_at) + FRAME / self.rate
                heapq.heappush(self.acks, (self.free_at + 2 * self.delay, self.number))
            if not self.acks:
                self.now = end
                return
            self.most_queued = max(self.most_queued, self.pace.in_flight)
            self.now, number = heapq.heappop(self.acks)
            self.arrived += FRAME
            self.pace.acknowledged(number, self.now)


@pytest.mark.parametrize(("rate", "delay"), [(100e6, 0.010), (10e6, 0.050), (1e9, 0.002), (50e6, 0.0001)])
def test_it_fills_the_pipe_and_little_more(rate: float, delay: float) -> None:
    link = Link(rate, delay)
    link.run(1 + 40 * delay)
    arrived, begin = link.arrived, link.now
    link.run(2)
    product = rate * 2 * delay

    assert (link.arrived - arrived) / (link.now - begin) > 0.9 * rate
    assert link.pace.limit <= max(FLOOR, 1.5 * product + rate * 0.002)


def test_a_small_pipe_is_never_filled_beyond_the_floor() -> None:
    link = Link(1e6, 0.020)
    link.run(20)

    assert link.most_queued <= FLOOR + FRAME


def test_a_huge_pipe_stops_at_the_ceiling() -> None:
    link = Link(1e10, 0.5)
    link.run(30)

    assert link.most_queued <= CEILING + FRAME


def test_it_does_not_grow_with_its_own_queue() -> None:
    """Round trips are measured anew now and then, with little on its way: a standing queue isn't taken for distance."""
    link = Link(50e6, 0.010)
    link.run(60)

    assert link.pace.round_trip == pytest.approx(0.020 + FRAME / 50e6, rel=0.5)
    assert link.pace.limit < 2.5e6


def test_it_follows_a_pipe_that_narrows() -> None:
    link = Link(200e6, 0.010)
    link.run(5)
    link.rate = 20e6
    link.run(40)

    assert link.pace.limit < 200e6 * 0.021


def test_silence_is_not_slowness() -> None:
    link = Link(100e6, 0.010)
    link.run(3)
    rate = link.pace.rate
    link.pace.starve()
    link.run(5, idle=True)
    link.now += 5
    link.run(1)

    assert link.pace.rate == pytest.approx(rate, rel=0.3)


def test_one_frame_may_always_leave() -> None:
    pace = Pace()

    assert pace.allows(10 * CEILING)
    pace.sent(1, FLOOR, 0.0)
    assert not pace.allows(1)
    pace.acknowledged(1, 0.1)
    assert pace.in_flight == 0
    pace.acknowledged(1, 0.2)

"""What to fetch of a large file, and who may go on reading: ranges in, fetches and answers out. No I/O.

A program waits for the ranges that it reads, so where it waits is where it reads. A wait just behind what is there, or
comes, is taken for the start of sequential reading: a window is fetched, and the next one when the reader may come
within half a window of its end. Other waits fetch their own range and a little more. What the agent has in flight is
its pace's business, so a fetch may be long; one that nobody needs any more is stopped. Bytes go from the agent into the
temporary file past this module (standins/driver.py).

States: filling, until `complete` (all is there) or `failed` (what is missing won't come; what is there can be read).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import count
from typing import Final

WINDOW: Final = 16 << 20
"""Bytes fetched at once of a file that is read sequentially."""
CLOSE_BY: Final = 256 << 10
"""Bytes fetched at least where a file is read here and there."""
AT_ONCE: Final = 2 * WINDOW
"""Bytes that come at once, in all fetches of a file."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask the agent for a range."""

    fetch: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Want no more of a fetch."""

    fetch: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """Tell a waiter that its range is there, within a larger one."""

    waiter: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Missing:
    """Tell a waiter that its range won't come."""

    waiter: int


@dataclass(frozen=True, slots=True)
class Complete:
    """All of the file is there."""


Effect = Fetch | Stop | Arrived | Missing | Complete


class Ranges:
    """Ranges that are there: disjoint, in order, and not touching each other."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """Add a range; those that it touches become one with it."""
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def around(self, at: int) -> tuple[int, int] | None:
        """Return the range that a byte is in."""
        index = bisect_right(self._starts, at) - 1
        return (self._starts[index], self._ends[index]) if index >= 0 and at < self._ends[index] else None

    def gap(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first part of a range that isn't there."""
        if found := self.around(start):
            start = found[1]
        if start >= end:
            return None
        index = bisect_right(self._starts, start)
        return start, min(end, self._starts[index]) if index < len(self._starts) else end


@dataclass(slots=True)
class _Waiter:
    number: int
    start: int
    end: int


@dataclass(slots=True)
class _Coming:
    at: int
    """Where its next byte goes."""
    end: int


class Filling:
    """One large file."""

    def __init__(self, size: int, head: int, fetches: count[int]) -> None:
        self.size = size
        self.there = Ranges()
        self.there.add(0, min(head, size))
        self.failed = False
        self._head = head
        self._fetches = fetches
        self._coming: dict[int, _Coming] = {}
        self._waiters: list[_Waiter] = []

    @property
    def complete(self) -> bool:
        """Whether all is there."""
        return self.there.gap(0, self.size) is None

    @property
    def waited_for(self) -> bool:
        """Whether anyone waits."""
        return bool(self._waiters)

    # ------------------------------------------------------------------------------------------ events

    def wait(self, waiter: int, start: int, end: int) -> list[Effect]:
        """Note that someone wants to read a range."""
        start, end = min(start, self.size), min(end, self.size)
        effects: list[Effect] = []
        if self.there.gap(start, end) is None:
            first, last = self.there.around(start) or (start, end)
            effects.append(Arrived(waiter, first, last))
            if start and last > self._head:
                self._look_ahead(last, effects)
        elif self.failed:
            effects.append(Missing(waiter))
        else:
            self._waiters.append(_Waiter(waiter, start, end))
            self._plan(effects)
        return effects

    def arrived(self, fetch: int, size: int) -> list[Effect]:
        """Note that the next bytes of a fetch are in the file."""
        coming = self._coming.get(fetch)
        if coming is None or self.failed:
            return []
        size = min(size, coming.end - coming.at)
        self.there.add(coming.at, coming.at + size)
        coming.at += size
        if coming.at >= coming.end:
            del self._coming[fetch]
        effects: list[Effect] = []
        waiting = []
        for waiter in self._waiters:
            if self.there.gap(waiter.start, waiter.end) is None:
                first, last = self.there.around(waiter.start) or (waiter.start, waiter.end)
                effects.append(Arrived(waiter.number, first, last))
                self._look_ahead(last, effects)
            else:
                waiting.append(waiter)
        self._waiters = waiting
        self._plan(effects)
        if not self._coming and self.complete:
            effects.append(Complete())
        return effects

    def ended(self, fetch: int) -> list[Effect]:
        """Note that a fetch is over: if it brought too little, the file is shorter now, and the rest won't come."""
        return self.fail() if fetch in self._coming else []

    def fail(self) -> list[Effect]:
        """Note that nothing comes any more."""
        self.failed = True
        effects: list[Effect] = [Missing(waiter.number) for waiter in self._waiters]
        self._waiters.clear()
        return self.stop() + effects

    def stop(self) -> list[Effect]:
        """Stop what comes: nobody has the file open. A later wait begins anew."""
        effects: list[Effect] = [Stop(fetch) for fetch in self._coming]
        self._coming.clear()
        return effects

    # ------------------------------------------------------------------------------------------ decisions

    def _plan(self, effects: list[Effect]) -> None:
        """Fetch what waiters miss and what doesn't come yet, the longest waiting first."""
        for waiter in self._waiters:
            start = waiter.start
            while gap := self.there.gap(start, waiter.end):
                start = self._comes_until(gap[0])
                if start == gap[0]:
                    self._fetch(gap[0], gap[1], effects)
                    start = self._comes_until(gap[0])
                    if start == gap[0]:
                        return  # enough comes already

    def _comes_until(self, at: int) -> int:
        """Return where the first byte from `at` on is that doesn't come."""
        for coming in sorted(self._coming.values(), key=lambda coming: coming.at):
            if coming.at <= at < coming.end:
                at = coming.end
        return at

    def _look_ahead(self, known: int, effects: list[Effect]) -> None:
        """Fetch on if a sequential reader, who may read up to `known` unasked, could outrun what comes."""
        behind = self.there.around(known - 1) if known else None
        if behind is None or (behind[0] and known - behind[0] <= CLOSE_BY):
            return  # whether it is one isn't known yet
        end = self._comes_until(known)
        if end < self.size and end - known < self._reach(known) // 2 and not self.failed and not self.there.around(end):
            self._fetch(end, end + 1, effects)

    def _fetch(self, start: int, wanted: int, effects: list[Effect]) -> None:
        """Fetch from a byte that neither is there nor comes, as far as makes sense."""
        room = AT_ONCE - sum(coming.end - coming.at for coming in self._coming.values())
        if room <= 0:
            return
        end = min(max(start + self._reach(start), wanted), start + WINDOW, self.size)
        gap = self.there.gap(start, end)
        end = min([gap[1] if gap else end, *(c.at for c in self._coming.values() if start < c.at < end)])
        fetch = next(self._fetches)
        self._coming[fetch] = _Coming(start, end)
        effects.append(Fetch(fetch, start, end))

    def _reach(self, start: int) -> int:
        """Return how far to fetch: the further, the longer the reader has read on without a jump."""
        behind = self.there.around(start - 1) if start else None
        if behind is None:
            return CLOSE_BY if start and self._comes_until(start - 1) < start else WINDOW
        return min(WINDOW, max(CLOSE_BY, 2 * (start - behind[0]))) if behind[0] else WINDOW

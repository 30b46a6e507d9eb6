"""How far a sender may run ahead of each two-way id's consumer: windows that start small, grow for those that keep up,
and stay within one budget for all of a session. two_way.py asks; nothing here knows a frame. No I/O.
"""

from __future__ import annotations

LEAST = 4 << 10
"""Bytes of the smallest window: MOST_IDS of them and SHARE are the budget of 64 MiB."""
FIRST = 256 << 10
"""Bytes of a window at first, while there is plenty."""
MOST = 4 << 20
"""Bytes that no window exceeds."""
SHARE = 32 << 20
"""Bytes that windows larger than the least have together."""
MOST_IDS = 8192
"""Two-way ids that may be open at once."""
DATAGRAMS = 128 << 10
"""Bytes of the least window for datagrams: the largest of them must fit in."""
SLACK = 0.001
"""Seconds that processes need to get their turn, beyond the round trip."""
PARTS = 16
"""A new window is at most one of so many parts of what is left."""


class Windows:
    """The budget. Sizes are in bytes."""

    def __init__(self) -> None:
        self.total = 0
        """Of all windows together."""

    def open(self, least: int = LEAST) -> int:
        """Return the size of a new window, at least `least`; give it back with `close`."""
        part = max(0, SHARE - self.total) // PARTS
        window = max(least, min(FIRST, part - part % LEAST))
        self.total += window
        return window

    def close(self, window: int) -> None:
        """Take a window back."""
        self.total -= window

    def resized(self, window: int, taken: int, took: float, round_trip: float | None) -> int:
        """Return a window's size from now on, where its consumer took `taken` bytes in the last `took` seconds.

        It doubles if half of it went within a round trip, since then the window is what holds the sender up; it is
        halved where it is large and the budget is nearly gone.
        """
        if window > FIRST and self.total > SHARE - SHARE // 8:
            new = window // 2
        elif (
            taken * 2 >= window
            and took <= (round_trip or 0.0) + SLACK
            and window * 2 <= MOST
            and self.total + window <= SHARE - SHARE // 4
        ):
            new = window * 2
        else:
            return window
        self.total += new - window
        return new

"""Counts the connections that are carried, so that the session can let them end: a program that says something and exits
at once has said it, as without us.
"""

from __future__ import annotations

from types import TracebackType

import trio

FAREWELL = 3.0
"""Seconds that connections get after the last program's end, until they are reset."""


class Tails:
    """The connections that are carried; each is carried within `with`."""

    def __init__(self) -> None:
        self._living = 0
        self._rested = trio.Event()

    def __enter__(self) -> None:
        """Begin to carry one."""
        self._living += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Note that one has ended."""
        self._living -= 1
        if not self._living:
            self._rested.set()

    async def leave(self) -> None:
        """Return when all have ended, or have had the time to."""
        with trio.move_on_after(FAREWELL):
            while self._living:
                self._rested = trio.Event()
                await self._rested.wait()

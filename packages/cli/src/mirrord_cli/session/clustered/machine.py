"""How long an agent on its way is tried to be met: what a failed attempt means, and when the next one is due. No I/O.

Attempts begin before the agent's container does, since the cluster tells that it runs up to a second after the fact.
Until then nothing that may come of its absence counts; after that, how long it is borne with depends on what it is:

| trouble | before it runs | after |
|---|---|---|
| unheard: nobody listens on the port | tried again | tried again while there is patience |
| passing: the way to it isn't there just now | tried again | tried again, `TRIES` times and for `PASSES_WITHIN` |
| absent: the server or the node knows no such pod | tried again | given up |
| cut: the port's end came before an answer, and nothing was wrong with the way | tried again | given up |
| lasting: no right, a certificate that isn't trusted | given up | given up |

An attempt that began before the news that it runs counts as one from before.
"""

from __future__ import annotations

import enum

from mirrord_cli.session.reaching.machine import ForwardFailed

PART = 10
"""A pause between attempts is this part of the time that was waited, so that no start takes much longer for it."""
LEAST, LEAST_ANEW, MOST = 0.02, 0.1, 1.0
"""Seconds of a pause, at least and at most; at least, where the way there has to be made anew."""
PASSES_WITHIN = 1.0
"""Seconds from the first of such troubles in a row."""
TRIES = 3
"""At least as many."""


class Trouble(enum.Enum):
    """What came of an attempt."""

    UNHEARD = "unheard"
    PASSING = "passing"
    ABSENT = "absent"
    CUT = "cut"
    LASTING = "lasting"


def trouble_of(failed: ForwardFailed) -> Trouble:
    """Return what a failure of the way there is."""
    if failed.passing:
        return Trouble.PASSING
    return Trouble.ABSENT if failed.absent else Trouble.LASTING


class Meeting:
    """The attempts to meet one agent.

    Args:
        now: The first one's time, in seconds of any clock.
    """

    def __init__(self, now: float) -> None:
        self._since = now
        self._until: float | None = None
        """When an agent that runs has to listen."""
        self._passing = 0
        """How many passing troubles came in a row since it runs."""
        self._passing_since = now

    def runs(self, now: float, patience: float) -> None:
        """Take in that the agent's container runs, and how many seconds it has to listen."""
        self._since, self._until = now, now + patience

    def failed(self, trouble: Trouble, began: float, now: float, *, anew: bool) -> float | None:
        """Take in what came of an attempt.

        Args:
            trouble: That.
            began: When the attempt began.
            now: When it failed.
            anew: Whether the next one has to make the whole way there.

        Returns:
            Seconds until the next one; None to give up.
        """
        pause = min(max((now - self._since) / PART, LEAST_ANEW if anew else LEAST), MOST)
        if trouble is Trouble.LASTING:
            return None
        if self._until is None or began < self._since:
            return pause
        if trouble is Trouble.PASSING:
            if not self._passing:
                self._passing_since = now
            self._passing += 1
            return pause if self._passing < TRIES or now < self._passing_since + PASSES_WITHIN else None
        self._passing = 0
        return pause if trouble is Trouble.UNHEARD and now + pause <= self._until else None

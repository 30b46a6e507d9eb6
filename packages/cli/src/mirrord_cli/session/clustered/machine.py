"""How long an agent on its way is tried to be met: what a failed attempt means, and when the next one is due. No I/O.

Attempts begin before the agent's container does, since the cluster tells that it runs up to a second after the fact.
Until then nothing that may come of its absence counts; after that, how long it is borne with depends on what it is:

| trouble | before it runs | after |
|---|---|---|
| unheard: nobody listens on the port | tried again | tried again while there is patience |
| passing: the way to it isn't there just now | tried again | tried again for `PASSES_WITHIN` |
| absent: the server or the node knows no such pod | tried again | given up |
| cut: it ended before an answer | tried again | given up |
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
"""Seconds."""


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
        self._borne: dict[Trouble, float] | None = None
        """Until when each trouble is borne with, since the agent runs."""

    def runs(self, now: float, patience: float) -> None:
        """Take in that the agent's container runs, and how many seconds it has to listen."""
        self._since = now
        self._borne = {Trouble.UNHEARD: now + patience, Trouble.PASSING: now + PASSES_WITHIN}

    def failed(self, trouble: Trouble, began: float, now: float) -> float | None:
        """Take in what came of an attempt.

        Args:
            trouble: That.
            began: When the attempt began.
            now: When it failed.

        Returns:
            Seconds until the next one; None to give up.
        """
        least = LEAST if trouble is Trouble.UNHEARD else LEAST_ANEW
        pause = min(max((now - self._since) / PART, least), MOST)
        if trouble is Trouble.LASTING:
            return None
        if self._borne is None or began < self._since or now + pause <= self._borne.get(trouble, now):
            return pause
        return None

"""Who is let in where an agent listens: the first that shows the token; how many others may try. No I/O.

Whoever reaches the port may connect: in an ephemeral container that is all that runs in the target's pod. The token is
checked by the protocol; driver.py has the sockets.
"""

from __future__ import annotations

from mirrord_protocol.values import Failure, FailureKind

STRANGERS = 16
"""So many may have begun to speak and not have shown the token; each takes some 100 KiB."""
SILENT = 512
"""So many may be connected without a word; each takes a descriptor and some 5 KiB. A session's first words come with the
next round trip, in which others mustn't be able to push it out."""
PATIENCE = 10.0
"""Seconds in which to show it."""
BUSY = Failure(
    FailureKind.SYSTEM, "EBUSY", "this agent serves its session already, and no other: start one of your own"
)
ASIDE = Failure(
    FailureKind.FORBIDDEN, None, "this connection was made by a process beside the agent, which serves none of these"
)
LATE = Failure(FailureKind.GONE, None, "the token came too late")


class Door:
    """Keeps count of those who came, each by a number of its own."""

    def __init__(self) -> None:
        self._taken = False  # by the session, also when it is gone
        self._strangers: dict[int, None] = {}
        self._silent: dict[int, None] = {}

    @property
    def taken(self) -> bool:
        """Whether the session has come."""
        return self._taken

    def knock(self, number: int) -> int | None:
        """Note that somebody has connected; return who is to be sent away for it: who has been silent for longest."""
        self._silent[number] = None
        return _first(self._silent) if len(self._silent) > SILENT else None

    def come(self, number: int) -> int | None:
        """Note that somebody has begun to speak; return who is to be sent away for it.

        That is the one who has spoken for longest: a session shows its token with the first bytes.
        """
        self._silent.pop(number, None)
        self._strangers[number] = None
        return _first(self._strangers) if len(self._strangers) > STRANGERS else None

    def admit(self, number: int) -> Failure | None:
        """Let in who has shown the token, or return why not."""
        if self._taken:
            return BUSY
        self._taken = True
        self.leave(number)
        return None

    def leave(self, number: int) -> None:
        """Note that somebody is gone, or no stranger any more."""
        self._silent.pop(number, None)
        self._strangers.pop(number, None)


def _first(waiting: dict[int, None]) -> int:
    """Take out the first."""
    number = next(iter(waiting))
    del waiting[number]
    return number


def worth_a_line(count: int) -> bool:
    """Whether the log gets a line for the n-th who was sent away: 1, 2, 4, 8 ... else they could fill the disk."""
    return count & (count - 1) == 0


def nobody(patience: float) -> Failure:
    """Return the end of an agent to which no session has come for so many seconds."""
    return Failure(FailureKind.GONE, None, f"no session has come within {patience:g} s")

"""Who is let in where an agent listens: the first that shows the token; how many others may try. No I/O.

Whoever reaches the port may connect: in an ephemeral container that is all that runs in the target's pod. The token is
checked by the protocol; driver.py has the sockets.
"""

from __future__ import annotations

from mirrord_protocol.values import Failure, FailureKind

STRANGERS = 16
"""So many that haven't shown the token may be connected; each takes some 100 KiB."""
PATIENCE = 10.0
"""Seconds in which to show it."""
BUSY = Failure(
    FailureKind.SYSTEM, "EBUSY", "this agent serves its session already, and no other: start one of your own"
)


class Door:
    """Keeps count of those who came, each by a number of its own."""

    def __init__(self) -> None:
        self._taken = False  # by the session, also when it is gone
        self._strangers: list[int] = []

    def come(self, number: int) -> int | None:
        """Note that somebody has connected; return who is to be sent away for it.

        That is the one who has waited longest: a session shows its token with the first bytes.
        """
        self._strangers.append(number)
        return self._strangers.pop(0) if len(self._strangers) > STRANGERS else None

    def admit(self, number: int) -> Failure | None:
        """Let in who has shown the token, or return why not."""
        if self._taken:
            return BUSY
        self._taken = True
        self.leave(number)
        return None

    def leave(self, number: int) -> None:
        """Note that somebody is gone, or no stranger any more."""
        if number in self._strangers:
            self._strangers.remove(number)


def nobody(patience: float) -> Failure:
    """Return the end of an agent to which no session has come for so many seconds."""
    return Failure(FailureKind.GONE, None, f"no session has come within {patience:g} s")
